using System.Net.Sockets;
using Npgsql;

namespace Ledger.EventStore.Tests;

/// <summary>What passes by itself and what is a bug, by SQLSTATE.</summary>
public sealed class OutageTests
{
    [Theory]
    [InlineData("08006")] // connection failure
    [InlineData("08P01")] // protocol violation, as when a proxy cuts a message in two
    [InlineData("28P01")] // wrong password: it is being changed
    [InlineData("3D000")] // no such database: it is being restored
    [InlineData("53100")] // disk full
    [InlineData("53300")] // too many connections
    [InlineData("57014")] // cancelled, or its time-out
    [InlineData("57P01")] // shutting down
    [InlineData("57P03")] // starting
    [InlineData("58030")] // I/O error
    [InlineData("25006")] // read-only
    [InlineData("40001")] // serialization failure
    [InlineData("40P01")] // deadlock
    [InlineData("55P03")] // lock not available
    public void An_outage_passes(string state)
    {
        Outage.IsState(state).ShouldBeTrue();
        Outage.Is(new PostgresException("said", "ERROR", "ERROR", state)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("22021")] // what text cannot hold
    [InlineData("23505")] // unique violation
    [InlineData("25P02")] // a failed transaction that nobody rolled back
    [InlineData("42P01")] // no such table
    [InlineData("42501")] // no such right
    [InlineData("42601")] // syntax
    [InlineData("40002")] // a constraint at the end of a transaction
    [InlineData("55000")] // a sequence not drawn from yet
    [InlineData("XX000")] // PostgreSQL's own bug
    [InlineData("XX001")] // a damaged page
    [InlineData("")]
    public void A_refusal_does_not_pass_by_itself(string state)
    {
        Outage.IsState(state).ShouldBeFalse();
        Outage.Is(new PostgresException("said", "ERROR", "ERROR", state)).ShouldBeFalse();
    }

    [Fact]
    public void A_broken_connection_is_an_outage_and_a_bug_is_none()
    {
        foreach (var away in (Exception[])[new NpgsqlException(), new TimeoutException(), new IOException(), new SocketException()])
            Outage.Is(away).ShouldBeTrue(away.GetType().Name);
        Outage.Is(new InvalidOperationException()).ShouldBeFalse();
    }
}
