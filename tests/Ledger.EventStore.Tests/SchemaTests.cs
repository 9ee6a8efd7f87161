namespace Ledger.EventStore.Tests;

/// <summary>The tables as Marten 9 expects them, column for column.</summary>
public sealed class SchemaTests
{
    [Fact]
    public async Task The_streams_table_has_Martens_columns() =>
        (await ColumnsAsync("mt_streams")).ShouldBe([
            "id character varying not null",
            "type character varying",
            "version bigint",
            "timestamp timestamp with time zone not null default now()",
            "created timestamp with time zone not null default now()",
            "tenant_id character varying default '*DEFAULT*'::character varying",
            "is_archived boolean default false",
        ]);

    [Fact]
    public async Task The_events_table_has_Martens_columns() =>
        (await ColumnsAsync("mt_events")).ShouldBe([
            "seq_id bigint not null",
            "id uuid not null",
            "stream_id character varying",
            "version bigint not null",
            "data jsonb not null",
            "bdata bytea",
            "type character varying(500) not null",
            "timestamp timestamp with time zone not null default now()",
            "tenant_id character varying default '*DEFAULT*'::character varying",
            "mt_dotnet_type character varying",
            "is_archived boolean default false",
            "correlation_id character varying",
            "causation_id character varying",
            "headers jsonb",
        ]);

    [Fact]
    public async Task The_progression_table_has_Martens_columns() =>
        (await ColumnsAsync("mt_event_progression")).ShouldBe([
            "name character varying not null",
            "last_seq_id bigint",
            "last_updated timestamp with time zone default transaction_timestamp()",
        ]);

    [Fact]
    public async Task The_sequence_has_no_cache_and_the_events_no_foreign_key()
    {
        await using var log = await LogDatabase.CreateAsync();
        (await log.QueryAsync<long>("select seqcache from pg_sequence where seqrelid = 'mt_events_sequence'::regclass")).ShouldBe(1);
        (await log.LinesAsync("select conname::text from pg_constraint where contype = 'f'")).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_unique_indexes_are_there()
    {
        await using var log = await LogDatabase.CreateAsync();
        (
            await log.LinesAsync("select indexdef from pg_indexes where tablename in ('mt_events', 'mt_streams') order by indexname")
        ).ShouldBe([
            "CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON public.mt_events USING btree (stream_id, version)",
            "CREATE UNIQUE INDEX pkey_mt_events_seq_id ON public.mt_events USING btree (seq_id)",
            "CREATE UNIQUE INDEX pkey_mt_streams_id ON public.mt_streams USING btree (id)",
            "CREATE UNIQUE INDEX ux_mt_events_stream_and_id ON public.mt_events USING btree (stream_id, id)",
        ]);
    }

    private static async Task<IReadOnlyList<string>> ColumnsAsync(string table)
    {
        await using var log = await LogDatabase.CreateAsync();
        return await log.LinesAsync(
            $"""
            select concat_ws(
              ' ',
              a.attname,
              format_type(a.atttypid, a.atttypmod),
              case when a.attnotnull then 'not null' end,
              'default ' || pg_get_expr(d.adbin, d.adrelid)
            )
            from pg_attribute a
            left join pg_attrdef d
              on d.adrelid = a.attrelid
              and d.adnum = a.attnum
            where a.attrelid = '{table}'::regclass
              and a.attnum > 0
              and not a.attisdropped
            order by a.attnum
            """
        );
    }
}
