using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Tests.Hosting;

/// <summary>How long a server that is told to stop may take: its calls' drain, and what is to be charged after it.</summary>
public sealed class ShutdownTests
{
    [Theory]
    [InlineData("00:00:00", 30)]
    [InlineData("00:00:15", 30)]
    [InlineData("00:00:16", 31)]
    [InlineData("00:10:00", 615)]
    public async Task The_drain_of_calls_is_within_it(string drain, int seconds)
    {
        await using var app = await LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Gateway:Drain"] = drain });
        app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout.ShouldBe(TimeSpan.FromSeconds(seconds));
    }
}
