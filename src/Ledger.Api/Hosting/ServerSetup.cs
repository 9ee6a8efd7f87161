using Ledger.Api.Gateway;
using Ledger.Api.Http;
using Microsoft.Extensions.Logging.Console;

namespace Ledger.Api.Hosting;

/// <summary>How the web server is set up.</summary>
internal static class ServerSetup
{
    private static readonly TimeSpan LeastShutdown = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(15);

    /// <summary>The address, the limits, the logs and the drain.</summary>
    public static void ConfigureServer(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration[WebHostDefaults.ServerUrlsKey]))
            builder.WebHost.UseUrls("http://127.0.0.1:5080");
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = RequestBody.Max;
        });

        // Requests under way are answered before the database is let go; calls that are cut when their drain is over are charged after it.
        builder
            .Services.AddOptions<HostOptions>()
            .Configure<GatewayOptions>(
                (host, gateway) =>
                    host.ShutdownTimeout = gateway.Drain + AfterDrain > LeastShutdown ? gateway.Drain + AfterDrain : LeastShutdown
            );
        builder
            .Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            // It warns that its keys are not encrypted; they are as safe as the database that they lie in, which the documents say.
            .AddFilter("Microsoft.AspNetCore.DataProtection.KeyManagement.XmlKeyManager", LogLevel.Error)
            .AddFilter("Npgsql", LogLevel.Warning);
        if (builder.Configuration["Logging:Console:FormatterName"] is not { Length: > 0 })
            builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.ColorBehavior) = (true, LoggerColorBehavior.Default));
    }
}
