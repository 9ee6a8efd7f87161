using System.Net.Http.Headers;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Http;

/// <summary>What no handler answers is answered in the dialect's own shape: never a stack trace, never an empty page.</summary>
public sealed class FaultsTests : IAsyncLifetime
{
    private const int TenMebibytes = 10 * 1024 * 1024;
    private LedgerApp _app = null!;
    private TestAccount _account = null!;

    public async ValueTask InitializeAsync()
    {
        // On the real server, which alone knows how large a body may be.
        _app = await LedgerApp.StartAsync(onKestrel: true);
        _account = await _app.OpenAccountAsync(credits: 100);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Theory]
    [InlineData("/api/v1/tools/teleport")]
    [InlineData("/api/v1/tools")]
    [InlineData("/api/v1/tools/spend/more")]
    [InlineData("/api/v1")]
    [InlineData("/API/v1/nothing")]
    public async Task A_route_that_is_not_there_is_refused_in_the_dialect_s_shape(string path)
    {
        (
            await _app.PostAsync(
                path,
                _account.Key,
                new
                {
                    tool = "chat",
                    units = 1,
                    reference = "r",
                }
            )
        ).ShouldBe(404, """{"ok":false,"error":"not_found","message":"There is nothing at this address."}""").ShouldHave("x-should-retry", "false");
    }

    [Fact]
    public async Task Outside_of_every_dialect_the_shape_is_a_plain_one()
    {
        (await _app.GetAsync("/nothing"))
            .ShouldBe(404, """{"error":{"code":"not_found","message":"There is nothing at this address."}}""")
            .Header("x-request-id")
            .ShouldNotBeNullOrEmpty();
    }

    [Theory]
    [InlineData("GET", "/api/v1/tools/spend", "POST")]
    [InlineData("PUT", "/api/v1/tools/check", "POST")]
    [InlineData("DELETE", "/api/v1/tools/settle", "POST")]
    [InlineData("PATCH", "/api/v1/tools/spend/batch", "POST")]
    [InlineData("POST", "/api/v1/tools/prices", "GET")]
    public async Task A_method_that_the_route_does_not_take_is_refused(string method, string path, string allowed)
    {
        (await _app.SendAsync(new HttpMethod(method), path, _account.Key))
            .ShouldBe(405, """{"ok":false,"error":"method_not_allowed","message":"This address does not take this method."}""")
            .ShouldHave("Allow", allowed)
            .ShouldHave("x-should-retry", "false");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/xml")]
    public async Task A_body_that_is_not_declared_as_JSON_is_refused(string type)
    {
        var before = await _app.StandingAsync(_account.Id);
        (await SpendAsync(type))
            .ShouldBe(415, """{"ok":false,"error":"unsupported_media_type","message":"Send JSON, with Content-Type: application/json."}""")
            .ShouldHave("x-should-retry", "false");
        (await _app.StandingAsync(_account.Id)).ShouldBe(before);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("application/json")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("Application/JSON")]
    [InlineData("application/vnd.api+json")]
    public async Task JSON_by_any_of_its_spellings_is_taken(string? type) => (await SpendAsync(type)).ShouldBe(200);

    [Fact]
    public async Task A_body_of_ten_mebibytes_is_read_and_one_byte_more_is_not()
    {
        var before = await _app.StandingAsync(_account.Id);
        (await SendLargeAsync(TenMebibytes)).ShouldBeRefused(400, "invalid_request");
        (await SendLargeAsync(TenMebibytes + 1))
            .ShouldBe(413, """{"ok":false,"error":"request_too_large","message":"The body is larger than 10 MiB."}""")
            .ShouldHave("x-should-retry", "false");
        (await _app.StandingAsync(_account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_body_without_a_length_is_measured_while_it_comes()
    {
        using var request = Large(TenMebibytes + 1);
        request.Headers.TransferEncodingChunked = true;
        (await _app.SendAsync(request)).ShouldBe(413);
    }

    [Fact]
    public async Task A_statement_that_PostgreSQL_refuses_is_our_bug_and_nobody_is_asked_to_come_back()
    {
        await _app.QueryAsync("alter table keys rename to elsewhere");
        (await CheckAsync(Api.Keys.KeySecret.Create("lk").Text))
            .ShouldBe(
                500,
                """{"ok":false,"error":"internal_error","message":"Something broke on our side; nothing was charged unless the ledger says so."}"""
            )
            .ShouldHave("Retry-After", null);
    }

    [Fact]
    public async Task A_database_that_is_busy_elsewhere_is_an_outage_and_passes()
    {
        await using var somebody = new NpgsqlConnection(_app.Database + ";Pooling=false");
        await somebody.OpenAsync();
        await using var transaction = await somebody.BeginTransactionAsync();
        await using (var take = new NpgsqlCommand("lock table keys in access exclusive mode", somebody, transaction))
            await take.ExecuteNonQueryAsync();
        var unknown = CheckAsync(Api.Keys.KeySecret.Create("lk").Text);
        await using var cancel = new NpgsqlCommand(
            """
            select count(pg_cancel_backend(pid))
            from pg_stat_activity
            where datname = current_database()
              and wait_event_type = 'Lock'
            """,
            somebody,
            transaction
        );

        // As a statement time-out of the operator's would.
        await Eventually.IsSoAsync(async () => await cancel.ExecuteScalarAsync() is > 0L);
        (await unknown)
            .ShouldBe(503, """{"ok":false,"error":"unavailable","message":"The ledger's database is away; come back in a moment."}""")
            .ShouldHave("Retry-After", "1");
    }

    [Fact]
    public async Task A_history_that_a_newer_server_has_written_is_named_as_such_and_costs_the_neighbours_nothing()
    {
        var neighbour = await _app.OpenAccountAsync(credits: 100);
        var skewed = await _app.OpenAccountAsync(credits: 100);
        await _app.QueryAsync($"update accounts set format = 99 where account_id = '{skewed.Id.Value}'");
        await _app.QueryAsync($"update mt_events set type = 'credits_lent' where stream_id = '{skewed.Id.StreamId}' and version = 2");
        await using var app = await LedgerApp.StartAsync(_app.Database, _app.Clock);

        // Asked for at the same time, so that they share a batch.
        var checks = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(n => app.PostAsync("/api/v1/tools/check", KeyOf(n), new { tool = "chat", units = 1 }))
        );
        var spends = await Task.WhenAll(
            Enumerable
                .Range(0, 20)
                .Select(n =>
                    app.PostAsync(
                        "/api/v1/tools/spend",
                        KeyOf(n),
                        new
                        {
                            tool = "chat",
                            units = 1,
                            reference = $"r{n}",
                        }
                    )
                )
        );
        for (var n = 0; n < checks.Length; n++)
        {
            foreach (var answer in (Answer[])[checks[n], spends[n]])
            {
                if (n % 2 == 0)
                    answer.ShouldBe(200);
                else
                    answer
                        .ShouldBe(
                            503,
                            """{"ok":false,"error":"version_skew","message":"A newer server has written this account's history; this one must be upgraded."}"""
                        )
                        .ShouldHave("Retry-After", "10");
            }
        }

        string KeyOf(int n) => n % 2 == 0 ? neighbour.Key : skewed.Key;
    }

    private Task<Answer> CheckAsync(string key) => _app.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 });

    private async Task<Answer> SendLargeAsync(int bytes)
    {
        using var request = Large(bytes);
        return await _app.AskFirstAsync(request);
    }

    private HttpRequestMessage Large(int bytes)
    {
        var body = new byte[bytes];
        Array.Fill(body, (byte)' ');
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/tools/spend") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.Authorization = new("Bearer", _account.Key);
        // As curl does with large bodies: ask first, so that a refusal is not met by a flood.
        request.Headers.ExpectContinue = true;
        return request;
    }

    private async Task<Answer> SpendAsync(string? type)
    {
        using var content = new ByteArrayContent("""{"tool":"chat","units":1,"reference":"r"}"""u8.ToArray());
        content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        return await _app.PostAsync("/api/v1/tools/spend", _account.Key, content);
    }
}
