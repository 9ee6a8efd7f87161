using System.Globalization;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;

namespace Ledger.Projections.Audit;

/// <summary>
/// Whether the log is what signed checkpoints say: those kept outside of the database where there are any, and else its own. Finds what a consistent rewrite of the
/// whole database hides: an event that was changed, removed, put in or moved, at its position or among at most 64.
/// </summary>
public sealed class CheckpointCheck : IAuditCheck
{
    /// <inheritdoc/>
    public string Name => "checkpoints";

    /// <inheritdoc/>
    public string Means =>
        "Every checkpoint is signed and names the one before it; the log up to the last one has the very events that were signed, in that order, and no others.";

    /// <inheritdoc/>
    public async Task RunAsync(AuditRun run, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(run);
        if (!run.Work.IsBehind<StreamCheck>(this))
        {
            using var hashes = new LogHashes(run.Database, null);
            await RunAsync(run, hashes, ct);
            return;
        }

        // Streams are read in one pass over the log: what passes there need not be read here.
        var passing = new PassingHashes();
        run.Work.DoLater(
            run,
            passing,
            async () =>
            {
                using var hashes = new LogHashes(run.Database, passing);
                await RunAsync(run, hashes, ct);
            }
        );
    }

    private static async Task RunAsync(AuditRun run, LogHashes hashes, CancellationToken ct)
    {
        var table = new LogCheckpoints(run.Database);
        var keys = (await table.ListKeysAsync(ct)).ToDictionary(stored => stored.Key.Id, stored => stored.Key, StringComparer.Ordinal);
        var (checkpoints, events, head) = (0L, 0L, await new LogScan(run.Database).CountEventsAsync(ct));
        SignedCheckpoint? before = null;
        var (insideLink, outsideLink) = ((LogCheckpoint?)null, (LogCheckpoint?)null);
        await using var inside = table.AllAsync(ct).GetAsyncEnumerator(ct);
        using var outside = Outside(run, keys).GetEnumerator();
        var (row, line) = (await NextAsync(inside), Next(outside));
        while (row is not null || line is not null)
        {
            var number = Math.Min(row?.Checkpoint.Number ?? long.MaxValue, line?.Checkpoint.Number ?? long.MaxValue);
            var (ours, theirs) = (Of(row), Of(line));
            if (ours is not null)
            {
                VerifyOne(run, ours, insideLink, keys, "the database");
                insideLink = ours.Checkpoint;
                run.Inside = new(number, ours.Checkpoint.Position, ours.Checkpoint.At);
                row = await NextAsync(inside);
            }

            if (theirs is not null)
            {
                VerifyOne(run, theirs, outsideLink, keys, "the file");
                outsideLink = theirs.Checkpoint;
                run.Outside = new(number, theirs.Checkpoint.Position, theirs.Checkpoint.At);
                line = Next(outside);
                if (ours is null)
                    run.Find("checkpoint_missing", $"checkpoint {number}", "The file has this checkpoint, and the database has not.");
                else if (!ours.Checkpoint.Hash().AsSpan().SequenceEqual(theirs.Checkpoint.Hash()))
                    run.Find(
                        "checkpoint_differs",
                        $"checkpoint {number}",
                        "The file and the database have different checkpoints of this number: one of the two was rewritten."
                    );
            }

            // What is outside is believed first.
            var standard = (theirs ?? ours)!;
            if (before is not null && standard.Checkpoint.After != before.Checkpoint.Position)
                run.Find(
                    "checkpoint_link",
                    $"checkpoint {number}",
                    $"It begins after position {standard.Checkpoint.After}, and the one before it ends at {before.Checkpoint.Position}."
                );
            if (standard.Checkpoint.Fault() is null)
                events += await CompareAsync(run, hashes, standard, events, head, ct);
            before = standard;
            checkpoints++;

            SignedCheckpoint? Of(SignedCheckpoint? next) => next?.Checkpoint.Number == number ? next : null;
        }

        run.Counted("checkpoints", checkpoints);
        run.Counted("events", events);
        if (!hashes.IsPassing)
            run.Report(events, events, "events");
    }

    private static void VerifyOne(
        AuditRun run,
        SignedCheckpoint signed,
        LogCheckpoint? before,
        Dictionary<string, CheckpointKey> keys,
        string where
    )
    {
        var checkpoint = signed.Checkpoint;
        var place = $"checkpoint {checkpoint.Number}";
        var fault = checkpoint.Fault();
        if (fault is not null)
            run.Find("checkpoint_unlawful", place, $"The checkpoint in {where} contradicts itself: {fault}.");
        if (!keys.TryGetValue(checkpoint.KeyId, out var key))
            run.Find("checkpoint_key", place, $"The checkpoint in {where} is signed with a key that nobody knows: {checkpoint.KeyId}.");
        else if (!signed.IsSignedBy(key))
            run.Find("checkpoint_signature", place, $"The checkpoint in {where} is not what was signed.");

        if (fault is null && !signed.HasSegments)
            run.Find(
                "checkpoint_segments",
                place,
                $"In {where}, its root does not follow from the segments beside it: no receipt can be made by it, and a place in it cannot be told."
            );

        // A file may begin anywhere; the table begins with the first.
        if (before is null)
        {
            if (checkpoint.Number != 1 && where == "the database")
                run.Find("checkpoint_missing", "checkpoint 1", $"The database's checkpoints begin with {checkpoint.Number}.");
            else if (checkpoint.Number == 1 && (checkpoint.After != 0 || checkpoint.Previous.Span.ContainsAnyExcept((byte)0)))
                run.Find("checkpoint_link", place, "The first checkpoint does not begin with the log.");
        }
        else if (checkpoint.Number != before.Number + 1)
        {
            run.Find(
                "checkpoint_missing",
                $"checkpoint {before.Number + 1}",
                $"In {where}, checkpoint {checkpoint.Number} follows on {before.Number}."
            );
        }
        else if (!checkpoint.Previous.Span.SequenceEqual(before.Hash()))
        {
            run.Find("checkpoint_link", place, $"In {where}, it does not name the checkpoint before it.");
        }
    }

    /// <summary>Compares the log's part with what was signed.</summary>
    /// <returns>How many events were looked at.</returns>
    private static async Task<long> CompareAsync(
        AuditRun run,
        LogHashes hashes,
        SignedCheckpoint signed,
        long before,
        long head,
        CancellationToken ct
    )
    {
        var checkpoint = signed.Checkpoint;
        var part = new Part(run, signed);
        var events = 0L;
        await hashes.ReadAsync(
            checkpoint.After,
            checkpoint.Position,
            part.Add,
            count =>
            {
                events += count;
                if (!hashes.IsPassing)
                    run.Report(before + events, head, "events");
            },
            ct
        );
        part.End();
        return events;
    }

    private static IEnumerable<SignedCheckpoint> Outside(AuditRun run, Dictionary<string, CheckpointKey> keys)
    {
        if (run.OutsideFile is null)
            yield break;
        foreach (var line in run.OutsideFile.Read())
        {
            // The file's own keys are as trustworthy as the file is.
            if (line.Key is { } key)
            {
                if (keys.TryAdd(key.Id, key))
                    run.Find(
                        "checkpoint_key",
                        $"line {line.Number}",
                        $"The file is signed by the key {key.Id}, which the database does not know."
                    );
            }
            else
            {
                yield return line.Checkpoint!;
            }
        }
    }

    private static SignedCheckpoint? Next(IEnumerator<SignedCheckpoint> from) => from.MoveNext() ? from.Current : null;

    private static async ValueTask<SignedCheckpoint?> NextAsync(IAsyncEnumerator<SignedCheckpoint> from) =>
        await from.MoveNextAsync() ? from.Current : null;

    /// <summary>One checkpoint's part of the log, event by event.</summary>
    private sealed class Part(AuditRun run, SignedCheckpoint signed)
    {
        private readonly LogCheckpoint _checkpoint = signed.Checkpoint;
        private readonly bool _hasSegments = signed.HasSegments;
        private readonly MerkleLeaves _leaves = new();
        private readonly List<byte[]> _nodes = [];
        private readonly List<PositionRun> _removed = [];
        private readonly List<PositionRun> _changed = [];
        private long _index;
        private int _gap;
        private bool _isBroken;
        private bool _anyBroken;
        private long _expected = signed.Checkpoint.PositionOf(0);
        private long _segmentFrom = signed.Checkpoint.PositionOf(0);

        public void Add(long position, ReadOnlySpan<byte> hash)
        {
            while (_index < _checkpoint.Count && _expected < position)
            {
                Grow(_removed, _expected);
                Step(default, isGone: true);
            }

            if (_index < _checkpoint.Count && position == _expected)
                Step(hash, isGone: false);
            else
                run.Find(
                    "event_added",
                    $"position {position}",
                    $"An event stands at position {position}, where none stood when checkpoint {_checkpoint.Number} was signed."
                );
        }

        public void End()
        {
            while (_index < _checkpoint.Count)
            {
                Grow(_removed, _expected);
                Step(default, isGone: true);
            }

            if (_leaves.Count > 0 || _isBroken)
                Close();
            foreach (var gone in _removed)
                run.Find(
                    "event_removed",
                    Place(gone),
                    $"{Events(gone.Count)} gone that stood there when checkpoint {_checkpoint.Number} was signed, at {CheckpointText.Time(_checkpoint.At)}."
                );
            if (_hasSegments)
            {
                foreach (var changed in _changed)
                    run.Find(
                        "event_changed",
                        Place(changed),
                        $"The events are not those that checkpoint {_checkpoint.Number} signed, or not in that order: one of them was changed, exchanged or moved."
                    );
                return;
            }

            // Without the nodes below it the root alone says whether, and not where.
            if (!_anyBroken && !Merkle.Root([.. _nodes]).AsSpan().SequenceEqual(_checkpoint.Root.Span))
                run.Find(
                    "event_changed",
                    Place(new(_checkpoint.After + 1, _checkpoint.Position)),
                    $"The events are not those that checkpoint {_checkpoint.Number} signed, or not in that order."
                );
        }

        /// <summary>Takes the event at the expected position.</summary>
        private void Step(ReadOnlySpan<byte> hash, bool isGone)
        {
            if (isGone)
                (_isBroken, _anyBroken) = (true, true);
            else
                _leaves.Add(hash);
            _index++;
            var last = _expected++;
            while (_gap < _checkpoint.Gaps.Count && _checkpoint.Gaps[_gap].Last < _expected)
                _gap++;
            if (_gap < _checkpoint.Gaps.Count && _checkpoint.Gaps[_gap].First <= _expected)
                _expected = _checkpoint.Gaps[_gap].Last + 1;
            if (_index % MerkleSegments.Leaves == 0)
                Close(last);
        }

        private void Close(long? last = null)
        {
            var segment = (int)((_index - 1) / MerkleSegments.Leaves);
            if (!_isBroken)
            {
                var node = _leaves.Root();
                _nodes.Add(node);
                if (_hasSegments && !node.AsSpan().SequenceEqual(signed.Segments[segment]))
                    _changed.Add(new(_segmentFrom, last ?? _checkpoint.Position));
            }

            _leaves.Clear();
            _isBroken = false;
            _segmentFrom = _expected;
        }

        private static void Grow(List<PositionRun> runs, long position)
        {
            if (runs.Count > 0 && runs[^1].Last == position - 1)
                runs[^1] = runs[^1] with { Last = position };
            else
                runs.Add(new(position, position));
        }

        private static string Place(PositionRun at) =>
            at.Count == 1
                ? string.Create(CultureInfo.InvariantCulture, $"position {at.First}")
                : string.Create(CultureInfo.InvariantCulture, $"positions {at.First} to {at.Last}");

        private static string Events(long count) =>
            count == 1 ? "An event is" : string.Create(CultureInfo.InvariantCulture, $"{count} events are");
    }
}
