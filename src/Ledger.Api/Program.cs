using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Audit;
using Ledger.Api.Cli;
using Ledger.Api.Dashboard;
using Ledger.Api.Dialects.Accounts;
using Ledger.Api.Dialects.Admin;
using Ledger.Api.Dialects.Credits;
using Ledger.Api.Dialects.Tenant;
using Ledger.Api.Dialects.Tools;
using Ledger.Api.Gateway;
using Ledger.Api.Gateway.Presets;
using Ledger.Api.Gateway.Providers;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.Api.Notifications;
using Ledger.Api.Payments;
using Ledger.Api.Payments.Sandbox;
using Ledger.Api.Payments.Stripe;
using Ledger.Api.Pricing;

if (CommandLine.IsFor(args))
    return await CommandLine.RunAsync(args, CliConsole.OfProcess, CancellationToken.None);

var builder = WebApplication.CreateBuilder(args);
builder.ConfigureServer();

using var loggers = LoggerFactory.Create(logging =>
    logging.AddConfiguration(builder.Configuration.GetSection("Logging")).AddSimpleConsole()
);
LedgerDatabase database;
try
{
    // Said before anything is started, and at every start: a setting that would fail one day should not wait for an empty database.
    LedgerOptions.From(builder.Configuration);
    AccessOptions.From(builder.Configuration);
    MailOptions.From(builder.Configuration);
    PaymentOptions.From(builder.Configuration);
    NotificationOptions.From(builder.Configuration);
    GatewayOptions.From(builder.Configuration);
    ProviderOptions.From(builder.Configuration);
    PresetLibrary.From(builder.Configuration);
    await RateCardFile.ReadAsync(RateCardFile.PathFrom(builder.Configuration), CancellationToken.None);
    database = await LedgerDatabase.OpenAsync(builder.Configuration, attach: false, loggers, TimeProvider.System, CancellationToken.None);
}
catch (Exception e) when (e is EmbeddedPostgresException or RateCardFileException or SettingsException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}

await using (database)
{
    builder
        .Services.AddLedgerStore(database)
        .AddLedger(builder.Configuration)
        .AddAccess(builder.Configuration)
        .AddPayments(builder.Configuration)
        .AddNotifications(builder.Configuration)
        .AddGateway(builder.Configuration, serveMissingBySandbox: database.IsEmbedded)
        .AddDashboard();
    builder.Services.AddSingleton(await OperatorKey.LoadAsync(builder.Configuration, database.DataFolder, CancellationToken.None));
    builder.Services.AddApiDescription();

    await using var app = builder.Build();
    app.UseRequestIds();
    app.UseFaults([
        CreditsErrors.Shape,
        ToolsErrors.Shape,
        AdminErrors.Shape,
        AccountApi.Shape,
        CheckpointApi.Shape,
        TenantApi.Shape,
        .. InferenceApi.AnthropicShapes,
        OpenAiErrors.Shape,
        PageErrors.Shape,
    ]);
    app.UseClosures();
    app.UseRegions();
    Health.Map(app);
    ToolsApi.Map(app);
    AuthApi.Map(app);
    ReferralApi.Map(app);
    AccountApi.Map(app);
    ReceiptApi.Map(app);
    DecisionApi.Map(app);
    RefusalApi.Map(app);
    CheckpointApi.Map(app);
    AuditApi.Map(app);
    ActivityApi.Map(app);
    StatementApi.Map(app);
    TenantApi.Map(app);
    BillingApi.Map(app);
    UsageApi.Map(app);
    CreditsApi.Map(app);
    PacksApi.Map(app);
    ModelsApi.Map(app);
    InferenceApi.Map(app);
    PricingApi.Map(app);
    AdminApi.Map(app);
    BillingAdminApi.Map(app);
    FinanceAdminApi.Map(app);
    SandboxPages.Map(app);
    NotificationApi.Map(app);
    StripeWebhook.Map(app);
    app.MapDashboard();
    app.MapOpenApi();

    using var telemetry = new Telemetry(app.Configuration);
    await app.StartAsync();
    GatewaySetup.Announce(app.Services);
    await Welcome.SayAsync(app);
    await app.WaitForShutdownAsync();
}

return 0;
