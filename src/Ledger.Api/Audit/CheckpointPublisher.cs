using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.EventStore.Checkpoints;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ledger.Api.Audit;

/// <summary>
/// Makes signed checkpoints of what is new in the log, on one node at a time, and keeps them in a file outside of the database besides. What a node's file lacks, because
/// another node made it or a crash came between, it copies from the table.
/// </summary>
public sealed partial class CheckpointPublisher(
    NpgsqlDataSource database,
    LogCheckpoints table,
    CheckpointKeyRing keys,
    LedgerService ledger,
    LedgerMetrics metrics,
    CheckpointFile file,
    IOptions<LedgerOptions> options,
    TimeProvider time,
    ILogger<CheckpointPublisher> logger
) : BackgroundService
{
    private const int Copied = 20;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly HashSet<string> _keysInFile = new(StringComparer.Ordinal);
    private CheckpointTurn? _turn;
    private LogCheckpoint? _lastInFile;
    private bool _hasReadFile;

    /// <summary>Where checkpoints are kept outside of the database.</summary>
    public static string PathOf(LedgerOptions options, LedgerDatabase database)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(database);
        return Path.GetFullPath(
            options.CheckpointFile is { Length: > 0 } named ? named : Path.Combine(database.DataFolder, "checkpoints.jsonl")
        );
    }

    /// <summary>Makes checkpoints of everything that is settled and that none covers, and brings the file up to date.</summary>
    /// <returns>How many were made; null where it is another node's turn.</returns>
    /// <exception cref="CheckpointFileException">File and table are not of one history, or the file cannot be read.</exception>
    public async Task<int?> PublishAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            _turn ??= await CheckpointTurn.TryTakeAsync(database, ct);
            if (_turn is null)
            {
                metrics.Following(CheckpointTurn.Name, null);
                return null;
            }

            await CatchUpAsync(_turn, ct);
            using var signer = await keys.OpenAsync(ct);
            var made = 0;
            while (await _turn.MakeAsync(LedgerTime.Now(time), signer.Key.Id, signer.Sign, CheckpointTurn.MaxEvents, ct) is { } checkpoint)
            {
                await AppendAsync([checkpoint], await keys.ListAsync(ct), ct);
                made++;
            }

            metrics.Following(CheckpointTurn.Name, await _turn.LagAsync(ct));
            return made;
        }
        catch
        {
            await GiveUpAsync();
            throw;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _gate.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var interval = options.Value.CheckpointInterval;
        try
        {
            while (true)
            {
                try
                {
                    if (interval > TimeSpan.Zero && ledger.IsRunning)
                        await PublishAsync(stoppingToken);
                }
                catch (CheckpointFileException fault)
                {
                    LogHistories(logger, fault.Message);
                }
                catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
                {
                    LogFault(logger, fault);
                }

                // Where nothing is to be made, until it is stopped: the turn of a test must end with its server.
                await Task.Delay(
                    interval <= TimeSpan.Zero ? Timeout.InfiniteTimeSpan
                        : ledger.IsRunning ? interval
                        : TimeSpan.FromSeconds(1),
                    time,
                    stoppingToken
                );
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
        finally
        {
            metrics.Following(CheckpointTurn.Name, null);
            await _gate.WaitAsync(CancellationToken.None);
            await GiveUpAsync();
            _gate.Release();
        }
    }

    /// <summary>Adds to the file what the table has and the file lacks, once it is known that both are of one history.</summary>
    private async Task CatchUpAsync(CheckpointTurn turn, CancellationToken ct)
    {
        if (!_hasReadFile)
            ReadFile();
        var last = (await turn.LastAsync(ct))?.Checkpoint;
        if (_lastInFile is { } known)
        {
            var same = known.Number <= (last?.Number ?? 0) ? await table.FindAsync(known.Number, ct) : null;
            if (same is null || !same.Checkpoint.Hash().AsSpan().SequenceEqual(known.Hash()))
                throw new CheckpointFileException(
                    $"{file.Path} ends with checkpoint {known.Number}, which the database does not have so: it was restored to an earlier moment, or rewritten. No checkpoint is made until the file is moved elsewhere. Keep it: `audit verify --checkpoints` with it tells what differs."
                );
        }

        if (last is null || last.Number == (_lastInFile?.Number ?? 0))
            return;
        var signers = await keys.ListAsync(ct);
        while (await table.ListAsync(_lastInFile?.Number ?? 0, Copied, ct) is { Count: > 0 } page)
        {
            foreach (var signed in page)
            {
                var checkpoint = signed.Checkpoint;
                var follows = _lastInFile?.Hash() ?? new byte[Merkle.Size];
                if (
                    checkpoint.Number != (_lastInFile?.Number ?? 0) + 1
                    || !checkpoint.Previous.Span.SequenceEqual(follows)
                    || !signers.Any(signed.IsSignedBy)
                )
                    throw new CheckpointFileException(
                        $"Checkpoint {checkpoint.Number} in the database is not what was signed, or does not follow on the one before it; it is not copied to {file.Path}. `audit verify` tells more."
                    );
                await AppendAsync([signed], signers, ct);
            }
        }
    }

    private void ReadFile()
    {
        _keysInFile.Clear();
        _lastInFile = null;
        if (file.Exists)
        {
            foreach (var line in file.Read())
            {
                if (line.Key is not null)
                    _keysInFile.Add(line.Key.Id);
                _lastInFile = line.Checkpoint?.Checkpoint ?? _lastInFile;
            }
        }

        _hasReadFile = true;
    }

    private async Task AppendAsync(IReadOnlyList<SignedCheckpoint> checkpoints, IReadOnlyList<CheckpointKey> known, CancellationToken ct)
    {
        // A key stands before the first checkpoint that it signs, so that the file can be checked by itself.
        var signing = checkpoints
            .Select(signed => signed.Checkpoint.KeyId)
            .Distinct()
            .Where(id => !_keysInFile.Contains(id))
            .Select(id => known.Single(key => key.Id == id))
            .ToList();
        await file.AppendAsync(signing, checkpoints, ct);
        _keysInFile.UnionWith(signing.Select(key => key.Id));
        _lastInFile = checkpoints[^1].Checkpoint;
    }

    private async Task GiveUpAsync()
    {
        _hasReadFile = false;
        if (_turn is null)
            return;
        await _turn.DisposeAsync();
        _turn = null;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "No checkpoint is made. {Reason}")]
    private static partial void LogHistories(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Making checkpoints was interrupted; the next attempt goes on from the last one.")]
    private static partial void LogFault(ILogger logger, Exception fault);
}
