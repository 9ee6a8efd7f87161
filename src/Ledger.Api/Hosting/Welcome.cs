using Ledger.Api.Payments;
using Ledger.Api.Payments.Sandbox;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Ledger.Api.Hosting;

/// <summary>What a newcomer reads on the terminal.</summary>
internal static partial class Welcome
{
    /// <summary>Greets on the first run, names the address on every run, and keeps <c>demo.json</c> true.</summary>
    public static async Task SayAsync(WebApplication app)
    {
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        if (address is null)
            return;
        var firstRun = app.Services.GetRequiredService<FirstRun>();
        await firstRun.ListensAtAsync(address, CancellationToken.None);
        var database = app.Services.GetRequiredService<LedgerDatabase>();
        var file = Path.Combine(database.DataFolder, "demo.json");
        if (app.Services.GetRequiredService<PaymentDesk>().Provider is SandboxProvider && !database.IsEmbedded)
            LogSandbox(app.Logger);

        await Console.Out.WriteLineAsync(firstRun is { IsFirst: true, Demo: { } demo } ? Of(demo, file) : $"Ledger listens at {address}");
    }

    /// <summary>A short page: where the server is, the keys, and one line to paste.</summary>
    public static string Of(DemoAccount demo, string demoFile) =>
        $$"""

            Ledger is ready at {{demo.BaseUrl}}

              demo account      {{demo.AccountId}} ({{demo.Email}}, password {{demo.Password}})
              API key           {{demo.ApiKey}}
              subscription key  {{demo.SubscriptionKey}}
              provisioning key  {{demo.ProvisioningKey}}
              operator's key    {{demo.AdminKey}}

            Spend five credits:

              curl -sS {{demo.BaseUrl}}/api/v1/tools/spend \
                -H "Authorization: Bearer {{demo.ApiKey}}" \
                -H "Content-Type: application/json" \
                -d '{"tool":"chat","units":1,"reference":"first"}'

            All of this is kept in {{demoFile}}. Stop with Ctrl-C.

            """;

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Payments are taken by the sandbox: nobody pays, and whoever has a checkout's address presses its buttons. "
            + "Set Billing__Provider=stripe where credits are worth something."
    )]
    private static partial void LogSandbox(ILogger logger);
}
