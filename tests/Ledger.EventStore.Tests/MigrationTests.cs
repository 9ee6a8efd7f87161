namespace Ledger.EventStore.Tests;

public sealed class MigrationTests
{
    private static readonly Migration Sample = new("sample", 1, "a sample", "create table sample (id int)");

    [Fact]
    public async Task An_empty_database_is_migrated_once_and_is_then_in_order()
    {
        await using var log = await LogDatabase.CreateEmptyAsync();
        (await log.Log.CheckSchemaAsync(default)).ShouldNotBeNull().ShouldContain("no ledger schema");

        (await log.Log.MigrateAsync(default)).ShouldBe(2);
        (await log.Log.CheckSchemaAsync(default)).ShouldBeNull();
        (await log.Log.MigrateAsync(default)).ShouldBe(0);
        (await log.LinesAsync("select component || ' ' || number || ' ' || name from ledger_migrations")).ShouldBe([
            "log 1 the log's tables",
            "log 2 what keeps a ledger closed",
        ]);
    }

    [Fact]
    public async Task Servers_that_start_together_take_turns()
    {
        await using var log = await LogDatabase.CreateEmptyAsync();
        var applied = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => new NpgsqlEventLog(log.Database, [Sample]).MigrateAsync(default))
        );
        applied.Order().ShouldBe([0, 0, 0, 3]);
    }

    [Fact]
    public async Task Only_the_missing_steps_are_applied()
    {
        await using var log = await LogDatabase.CreateAsync();
        var later = new NpgsqlEventLog(log.Database, [Sample]);
        (await later.CheckSchemaAsync(default)).ShouldBe(
            "The schema lacks migration sample 1, 'a sample'. Run the command `migrate`, or start the server, which does."
        );
        (await later.MigrateAsync(default)).ShouldBe(1);
        (await later.CheckSchemaAsync(default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_step_that_fails_leaves_nothing_behind_and_can_be_tried_again()
    {
        await using var log = await LogDatabase.CreateAsync();
        var broken = new NpgsqlEventLog(log.Database, [Sample with { Sql = "create table sample (id int); select 1 / 0" }]);
        await Should.ThrowAsync<Npgsql.PostgresException>(() => broken.MigrateAsync(default));
        (await log.QueryAsync<bool>("select to_regclass('sample') is null")).ShouldBeTrue();
        (await new NpgsqlEventLog(log.Database, [Sample]).MigrateAsync(default)).ShouldBe(1);
    }

    [Fact]
    public async Task A_database_that_a_newer_server_has_migrated_is_refused()
    {
        await using var log = await LogDatabase.CreateAsync();
        await new NpgsqlEventLog(log.Database, [Sample]).MigrateAsync(default);
        const string Message =
            "The database has migration sample 1, which this server does not know: it was upgraded by a newer one. Upgrade this server.";
        (await log.Log.CheckSchemaAsync(default)).ShouldBe(Message);
        (await Should.ThrowAsync<SchemaException>(() => log.Log.MigrateAsync(default))).Message.ShouldBe(Message);
    }

    [Theory]
    [InlineData("drop index ux_mt_events_stream_and_id", "{stream_id,id}")]
    [InlineData("drop index pk_mt_events_stream_and_version", "{stream_id,version}")]
    [InlineData(
        "drop index ux_mt_events_stream_and_id; create index ux_mt_events_stream_and_id on mt_events (stream_id, id)",
        "{stream_id,id}"
    )]
    [InlineData("drop index ux_mt_events_stream_and_id; create unique index ux on mt_events (id, stream_id)", "{stream_id,id}")]
    [InlineData(
        "drop index ux_mt_events_stream_and_id; create unique index ux on mt_events (stream_id, id) where version > 0",
        "{stream_id,id}"
    )]
    [InlineData(
        "drop index ux_mt_events_stream_and_id; create unique index ux on mt_events (stream_id, id, lower(type))",
        "{stream_id,id}"
    )]
    [InlineData("drop index ux_mt_events_stream_and_id; drop index pk_mt_events_stream_and_version", "{stream_id,version}, {stream_id,id}")]
    public async Task A_missing_unique_index_is_found(string sql, string columns)
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync(sql);
        (await log.Log.CheckSchemaAsync(default)).ShouldNotBeNull().ShouldStartWith($"mt_events lacks the unique index on {columns}.");
    }

    [Fact]
    public async Task A_unique_index_of_another_name_will_do()
    {
        await using var log = await LogDatabase.CreateAsync();
        await log.ExecuteAsync("alter index ux_mt_events_stream_and_id rename to another");
        (await log.Log.CheckSchemaAsync(default)).ShouldBeNull();
    }
}
