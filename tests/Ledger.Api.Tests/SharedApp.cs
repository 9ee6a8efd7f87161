using Ledger.Testing;

namespace Ledger.Api.Tests;

/// <summary>One application for the tests of a class, each of which opens accounts of its own and leaves the clock alone.</summary>
public sealed class SharedApp : IAsyncLifetime
{
    public LedgerApp App { get; private set; } = null!;

    public async ValueTask InitializeAsync() => App = await LedgerApp.StartAsync();

    public ValueTask DisposeAsync() => App.DisposeAsync();
}
