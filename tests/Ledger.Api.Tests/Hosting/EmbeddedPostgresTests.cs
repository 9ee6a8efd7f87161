using System.Diagnostics;
using System.Runtime.Versioning;
using Ledger.Api.Hosting;
using Ledger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Ledger.Api.Tests.Hosting;

/// <summary>The embedded PostgreSQL with real processes, killed and restarted for real.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class EmbeddedPostgresTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    private EmbeddedPostgresOptions Options => new(_folder.Data) { Settings = PostgresFixture.Small };

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task The_first_start_creates_the_cluster_and_the_second_finds_its_data()
    {
        string connectionString;
        await using (var first = await StartAsync())
        {
            connectionString = first.ConnectionString;
            await QueryAsync(first, "create table kept (id int); insert into kept values (42)");
        }

        await using var second = await StartAsync();
        (await QueryAsync(second, "select id from kept")).ShouldBe(42);
        second.ConnectionString.ShouldBe(connectionString);
    }

    [Fact]
    public async Task It_is_durable_private_and_in_UTF8()
    {
        await using var postgres = await StartAsync();
        (await QueryAsync(postgres, "show fsync")).ShouldBe("on");
        (await QueryAsync(postgres, "show synchronous_commit")).ShouldBe("on");
        (await QueryAsync(postgres, "show full_page_writes")).ShouldBe("on");
        (await QueryAsync(postgres, "show data_checksums")).ShouldBe("on");
        (await QueryAsync(postgres, "show listen_addresses")).ShouldBe("");
        (await QueryAsync(postgres, "show server_encoding")).ShouldBe("UTF8");
        (await QueryAsync(postgres, "select datcollate from pg_database where datname = 'ledger'")).ShouldBe("C");
        (await QueryAsync(postgres, "show timezone")).ShouldBe("UTC");
        (await QueryAsync(postgres, "show shared_buffers")).ShouldBe("128MB");
        (await QueryAsync(postgres, "select rolsuper from pg_roles where rolname = current_user")).ShouldBe(false);

        File.GetUnixFileMode(Path.Combine(_folder.Data, "postgres.json")).ShouldBe(UnixModes.Secret);
        File.GetUnixFileMode(Path.Combine(_folder.Data, "lock")).ShouldBe(UnixModes.Secret);
        File.GetUnixFileMode(new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Host!).ShouldBe(UnixModes.Private);
    }

    [Fact]
    public async Task Nobody_connects_without_the_password_or_as_the_superuser()
    {
        await using var postgres = await StartAsync();
        (await RefusalAsync(new(postgres.ConnectionString) { Password = "wrong", Pooling = false })).ShouldBe(
            PostgresErrorCodes.InvalidPassword
        );
        (
            await RefusalAsync(
                new(postgres.ConnectionString)
                {
                    Username = "postgres",
                    Database = "postgres",
                    Pooling = false,
                }
            )
        ).ShouldBe(PostgresErrorCodes.InvalidPassword);
    }

    [Fact]
    public async Task A_killed_postmaster_is_started_again_behind_the_same_connection_string()
    {
        await using var postgres = await StartAsync();
        await QueryAsync(postgres, "create table kept (id int); insert into kept values (42)");
        var killed = postgres.ProcessId;
        using (var process = Process.GetProcessById(killed))
            process.Kill();

        await Eventually.IsSoAsync(() => postgres.ProcessId != killed);
        (await QueryAsync(postgres, "select id from kept")).ShouldBe(42);
    }

    [Fact]
    public async Task It_is_started_again_as_often_as_it_dies()
    {
        await using var postgres = await StartAsync();
        for (var round = 0; round < 3; round++)
        {
            var killed = postgres.ProcessId;
            using (var process = Process.GetProcessById(killed))
                process.Kill();
            await Eventually.IsSoAsync(() => postgres.ProcessId != killed);
        }

        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task The_orphan_of_a_killed_server_is_adopted_and_watched()
    {
        var server = await StandInServer.StartAsync(_folder.Data);
        await server.KillAsync();

        await using var postgres = await StartAsync();
        postgres.ProcessId.ShouldBe(server.PostgresProcessId);
        postgres.ConnectionString.ShouldBe(server.ConnectionString);
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);

        using (var process = Process.GetProcessById(postgres.ProcessId))
            process.Kill();
        await Eventually.IsSoAsync(() => postgres.ProcessId != server.PostgresProcessId);
    }

    [Fact]
    public async Task An_orphan_is_recognised_by_any_path_to_its_data_folder()
    {
        var server = await StandInServer.StartAsync(_folder.Data);
        await server.KillAsync();
        var link = Path.Combine(_folder.Path, "link");
        Directory.CreateSymbolicLink(link, _folder.Path);

        var options = Options with { DataFolder = Path.Combine(link, "data") };
        await using var postgres = await EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default);
        postgres.ProcessId.ShouldBe(server.PostgresProcessId);
    }

    [Fact]
    public async Task A_server_killed_together_with_its_PostgreSQL_leaves_nothing_in_the_way()
    {
        var server = await StandInServer.StartAsync(_folder.Data);
        await server.KillAsync();
        using (var process = Process.GetProcessById(server.PostgresProcessId))
            process.Kill();

        await using var postgres = await StartAsync();
        postgres.ProcessId.ShouldNotBe(server.PostgresProcessId);
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task A_second_server_on_the_same_folder_is_refused()
    {
        await using var server = await StandInServer.StartAsync(_folder.Data);
        var refusal = await Should.ThrowAsync<EmbeddedPostgresException>(StartAsync);
        refusal.Message.ShouldContain(_folder.Data);
        refusal.Message.ShouldContain($"in use by another Ledger process (process {server.ProcessId})");
        refusal.Message.ShouldContain("Ledger__Data");
    }

    [Fact]
    public async Task A_stop_leaves_no_process_and_a_free_folder()
    {
        ClusterFolder cluster;
        await using (await StartAsync())
        {
            cluster = Cluster();
            Postmaster.Processes(cluster).Count().ShouldBeGreaterThan(1);
        }

        Postmaster.Processes(cluster).ShouldBeEmpty();
        (await HolderAsync()).ShouldBeNull();
        FolderLock.TryAcquire(_folder.Data).ShouldNotBeNull().Dispose();
    }

    [Fact]
    public async Task A_stop_leaves_no_process_even_while_PostgreSQL_is_being_started_again()
    {
        await using (var postgres = await StartAsync())
        {
            using var process = Process.GetProcessById(postgres.ProcessId);
            process.Kill();
        }

        Postmaster.Processes(Cluster()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_cancelled_start_leaves_no_process()
    {
        using var cancel = new CancellationTokenSource();
        var start = EmbeddedPostgres.StartAsync(Options, NullLogger.Instance, TimeProvider.System, cancel.Token);
        await Eventually.IsSoAsync(() => Drafts().Length > 0);
        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => start);
        await Eventually.IsSoAsync(() => ProcessesNaming(_folder.Path) == 0);
        await using var postgres = await StartAsync();
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task A_server_killed_during_initdb_is_recovered_from()
    {
        using (var server = StandInServer.Launch(_folder.Data))
        {
            await Eventually.IsSoAsync(() => Drafts().Any(draft => File.Exists(Path.Combine(draft, "PG_VERSION"))));
            server.Kill();
            await server.WaitForExitAsync();
        }

        await using var postgres = await StartAsync();
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task Half_made_clusters_are_deleted()
    {
        Directory.CreateDirectory(Path.Combine(_folder.Data, "pg", "data.0123.new", "base"));
        await using var postgres = await StartAsync();
        Drafts().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_process_number_that_belongs_to_somebody_else_now_is_no_running_server()
    {
        await (await StartAsync()).DisposeAsync();
        await File.WriteAllTextAsync(Path.Combine(Cluster().Data, "postmaster.pid"), $"{Environment.ProcessId}\n{Cluster().Data}\n");

        await using var postgres = await StartAsync();
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task An_ordinary_user_runs_it_too()
    {
        await using var server = await AsOrdinaryUserAsync();
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync();
        File.GetUnixFileMode(_folder.Data).ShouldBe(UnixModes.Private);
    }

    [Fact]
    public async Task A_long_path_gets_a_short_private_socket_folder()
    {
        var data = Path.Combine(_folder.Path, string.Join('/', Enumerable.Repeat("a folder with a long name", 6)), "data");
        var options = Options with { DataFolder = data };
        string socket;
        await using (var postgres = await EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default))
        {
            (await QueryAsync(postgres, "select 1")).ShouldBe(1);
            socket = new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Host!;
            socket.Length.ShouldBeLessThan(60);
            File.GetUnixFileMode(socket).ShouldBe(UnixModes.Private);
        }

        Directory.Exists(socket).ShouldBeFalse();
    }

    [Fact]
    public async Task A_path_that_pg_ctl_cannot_take_is_refused_plainly()
    {
        var options = Options with { DataFolder = Path.Combine(_folder.Path, "$(id)") };
        var refusal = await Should.ThrowAsync<EmbeddedPostgresException>(() =>
            EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default)
        );
        refusal.Message.ShouldContain("Choose another folder");
    }

    [Fact]
    public async Task Without_Unix_sockets_it_listens_on_the_loopback_address_with_a_password()
    {
        var options = Options with { UnixSocket = false };
        await using var postgres = await EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default);
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
        new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Host.ShouldBe("127.0.0.1");
        (await RefusalAsync(new(postgres.ConnectionString) { Password = "wrong", Pooling = false })).ShouldBe(
            PostgresErrorCodes.InvalidPassword
        );

        // The port is kept, so that the connection string survives a restart of PostgreSQL.
        var killed = postgres.ProcessId;
        using (var process = Process.GetProcessById(killed))
            process.Kill();
        await Eventually.IsSoAsync(() => postgres.ProcessId != killed);
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task Without_installed_programs_they_come_from_npm()
    {
        var options = Options with { Sources = PostgresSources.Npm };
        await using (var postgres = await EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default))
            ((string)(await QueryAsync(postgres, "show server_version"))!).ShouldStartWith("18");

        // A cluster stays with the version that made it, whatever else is installed.
        await using var again = await StartAsync();
        ((string)(await QueryAsync(again, "show server_version"))!).ShouldStartWith("18");
    }

    [Fact]
    public async Task Without_any_programs_the_message_says_what_to_install()
    {
        var options = Options with { Sources = PostgresSources.None };
        var refusal = await Should.ThrowAsync<EmbeddedPostgresException>(() =>
            EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default)
        );
        refusal.Message.ShouldContain("version 15 or newer");
        refusal.Message.ShouldContain("Node.js with npm");
        refusal.Message.ShouldContain("ConnectionStrings__Ledger");
    }

    [Fact]
    public async Task A_lost_password_is_replaced()
    {
        await (await StartAsync()).DisposeAsync();
        File.Delete(Path.Combine(_folder.Data, "postgres.json"));
        await using var postgres = await StartAsync();
        (await QueryAsync(postgres, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task The_command_line_uses_the_running_servers_cluster_and_leaves_it_running()
    {
        await using var server = await StandInServer.StartAsync(_folder.Data);
        await using (var attached = await AttachOrStartAsync())
        {
            attached.IsAttached.ShouldBeTrue();
            attached.ProcessId.ShouldBe(server.PostgresProcessId);
            (await QueryAsync(attached, "select 1")).ShouldBe(1);
        }

        Postmaster.Find(Cluster())!.ProcessId.ShouldBe(server.PostgresProcessId);
    }

    [Fact]
    public async Task The_command_line_waits_for_a_server_at_its_first_start()
    {
        using var server = StandInServer.Launch(_folder.Data);
        await Eventually.IsSoAsync(async () => await HolderAsync() is not null);
        await using (var attached = await AttachOrStartAsync())
        {
            attached.IsAttached.ShouldBeTrue();
            (await QueryAsync(attached, "select 1")).ShouldBe(1);
        }

        server.StandardInput.Close();
        await server.WaitForExitAsync();
    }

    [Fact]
    public async Task The_command_line_runs_the_cluster_itself_where_no_server_does()
    {
        await using (var started = await AttachOrStartAsync())
        {
            started.IsAttached.ShouldBeFalse();
            (await QueryAsync(started, "select 1")).ShouldBe(1);
        }

        Postmaster.Processes(Cluster()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Where_roots_unprivileged_user_cannot_reach_the_data_folder_the_cluster_is_elsewhere()
    {
        var closed = Path.Combine(_folder.Path, "closed");
        Directory.CreateDirectory(closed);
        File.SetUnixFileMode(closed, UnixModes.Private);
        var options = Options with { DataFolder = Path.Combine(closed, "data"), FallbackFolder = Path.Combine(_folder.Path, "var") };
        await using (var first = await EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default))
            await QueryAsync(first, "create table kept (id int); insert into kept values (42)");

        // An ordinary user's PostgreSQL is that user's own: it can reach what the server can.
        Directory.Exists(options.FallbackFolder).ShouldBe(ServerUser.WeAreRoot);
        File.SetUnixFileMode(closed, UnixModes.Public);
        await using var second = await EmbeddedPostgres.StartAsync(options, NullLogger.Instance, TimeProvider.System, default);
        (await QueryAsync(second, "select id from kept")).ShouldBe(42);
        await second.DisposeAsync();
        await EmbeddedPostgres.DeleteAsync(options, NullLogger.Instance, TimeProvider.System);
    }

    [Theory]
    [InlineData("setpriv")]
    [InlineData("runuser")]
    [InlineData("su")]
    public async Task Whichever_way_there_is_to_become_the_unprivileged_user_passes_words_unchanged(string launcher)
    {
        var user = await ServerUser.FindAsync(cluster: null, TimeProvider.System, [launcher]);
        var said = await ChildProcess.RunAsync(
            user.Command("sh", "-c", "id -u; printf '%s|' \"$@\"", "sh", "-D", "two words", "$HOME", "it's", "--", ""),
            TimeProvider.System,
            TimeSpan.FromSeconds(20)
        );
        var lines = said.Output.Split('\n');
        lines[1].ShouldBe("-D|two words|$HOME|it's|--||", said.Error);
        lines[0].ShouldNotBe("0");
        user.IsOther.ShouldBe(ServerUser.WeAreRoot);
    }

    [Fact]
    public async Task PostgreSQL_is_in_a_session_of_its_own_so_that_CtrlC_does_not_reach_it()
    {
        await using var postgres = await StartAsync();
        var stat = await File.ReadAllTextAsync($"/proc/{postgres.ProcessId}/stat");
        // After the name in brackets: state, parent, process group, session.
        stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3].ShouldBe($"{postgres.ProcessId}");
    }

    [Theory]
    [InlineData("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "15.14")]
    [InlineData("postgres (PostgreSQL) 18.0", "18.0")]
    [InlineData("postgres (PostgreSQL) 19beta1", "19.0")]
    [InlineData("postgres: not found", null)]
    public void Versions_are_read_as_PostgreSQL_prints_them(string said, string? version) =>
        ServerBinaries.ParseVersion(said)?.ToString().ShouldBe(version);

    [Fact]
    public async Task Test_databases_are_separate_and_copied_from_a_template()
    {
        var fixture = new PostgresFixture();
        var prepared = 0;
        async Task<string> CreateAsync() =>
            await fixture.CreateDatabaseAsync(
                "hosting",
                async connectionString =>
                {
                    prepared++;
                    await QueryAsync(connectionString, "create table copied (id int)");
                }
            );
        var databases = await Task.WhenAll(CreateAsync(), CreateAsync(), fixture.CreateDatabaseAsync());
        prepared.ShouldBe(1);
        databases.Distinct().Count().ShouldBe(3);
        (await QueryAsync(databases[0], "select to_regclass('copied') is not null")).ShouldBe(true);
        (await QueryAsync(databases[1], "select to_regclass('copied') is not null")).ShouldBe(true);
        (await QueryAsync(databases[2], "select to_regclass('copied') is not null")).ShouldBe(false);
    }

    private Task<EmbeddedPostgres> StartAsync() => EmbeddedPostgres.StartAsync(Options, NullLogger.Instance, TimeProvider.System, default);

    private Task<EmbeddedPostgres> AttachOrStartAsync() =>
        EmbeddedPostgres.AttachOrStartAsync(Options, NullLogger.Instance, TimeProvider.System, default);

    private ClusterFolder Cluster() => ClusterFolder.Candidates(Options).First(folder => folder.Major is not null);

    private string[] Drafts() =>
        ClusterFolder
            .Candidates(Options)
            .Where(folder => Directory.Exists(folder.Home))
            .SelectMany(folder => Directory.GetDirectories(folder.Home, "data.*.new"))
            .ToArray();

    // As root a child process becomes nobody; otherwise everything here runs as an ordinary user already.
    private async Task<StandInServer> AsOrdinaryUserAsync()
    {
        if (!ServerUser.WeAreRoot)
            return await StandInServer.StartAsync(_folder.Data);
        File.SetUnixFileMode(_folder.Path, UnixModes.Public | UnixFileMode.OtherWrite);
        return await StandInServer.StartAsNobodyAsync(_folder.Data, Path.Combine(_folder.Path, "dotnet"));
    }

    private Task<int?> HolderAsync() => FolderLock.HolderAsync(_folder.Data, TimeProvider.System, default);

    private static int ProcessesNaming(string path) =>
        Directory
            .EnumerateDirectories("/proc")
            .Count(process =>
            {
                try
                {
                    return int.TryParse(Path.GetFileName(process), out _)
                        && File.ReadAllText(Path.Combine(process, "cmdline")).Contains(path);
                }
                catch (IOException)
                {
                    return false;
                }
            });

    private static async Task<object?> QueryAsync(EmbeddedPostgres postgres, string sql) =>
        await QueryAsync(postgres.ConnectionString, sql);

    private static async Task<object?> QueryAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString
        );
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    private static async Task<string?> RefusalAsync(NpgsqlConnectionStringBuilder address)
    {
        await using var connection = new NpgsqlConnection(address.ConnectionString);
        return (await Should.ThrowAsync<PostgresException>(() => connection.OpenAsync())).SqlState;
    }
}
