-- One batch of many streams, in one statement: each stream is written whole or not at all, and one stream's conflict costs no other anything.
-- Streams come sorted by id. The inline read models' parts follow, gated on `won`.
-- The plan is made once and kept, often while tables are small, so it must not depend on statistics: what is looked up row by row says so, by
-- `lateral … offset 0`, and by `= any (array[…])` where a join on `=` would let the planner walk a whole index first.
-- What stands between `--[ name` and `--]` is there only where the batch needs it: a node of the plan costs also where it has nothing to do.
with
stream as materialized (
  select b.id, b.expected, b.next, b.at, b.type, b.n::int as n
  from unnest(:stream_id, :expected, :next, :stream_at, :stream_type) with ordinality as b (id, expected, next, at, type, n)
),
-- The stream that every decision of the batch depended on besides its own, such as the rate card's, must not have moved.
guard as materialized (
  select (:guard_id)[1] is null or exists (select from mt_streams s where s.id = (:guard_id)[1] and s.version = (:guard_version)[1]) as holds
),
--[ looks
-- A derived id that stands in the log already means: this was done before. Found here, it costs its stream another attempt, not the batch an abort.
repeated as materialized (
  select distinct e.n
  from unnest(:event_n, :event_stream_id, :event_id) as e (n, stream_id, id)
  cross join lateral (
    select
    from mt_events m
    where m.stream_id = e.stream_id
      and m.id = e.id
    offset 0
  ) found
),
--]
-- In id order, so that two nodes cannot deadlock; and before the first nextval, so that readers of the log can wait for this transaction.
moved as (
  update mt_streams s
  set
    version = b.next,
    timestamp = b.at
  from stream b
  where s.id = any (array[b.id])
    and s.version = b.expected
--[ looks
    and b.n <> all (array(select r.n from repeated r))
--]
    and (select g.holds from guard g)
  returning b.n
),
--[ opens
opened as (
  insert into mt_streams (id, type, version, timestamp, created)
  select b.id, b.type, b.next, b.at, b.at
  from stream b
  where b.expected = 0
--[ looks
    and b.n <> all (array(select r.n from repeated r))
--]
    and (select g.holds from guard g)
  on conflict (id) do nothing
  returning id
),
--]
won as materialized (
  select
    count(*) = cardinality(:stream_id) as everything,
    array_agg(w.n) as streams
  from (
    select m.n from moved m
--[ opens
    union all
    select b.n from opened o join stream b on b.id = o.id
--]
  ) w
),
appended as (
  insert into mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, correlation_id, causation_id, headers)
  select
    nextval('mt_events_sequence'),
    e.id,
    e.stream_id,
    e.version,
    e.data,
    e.type,
    e.at,
    e.dotnet_type,
    e.correlation_id,
    e.causation_id,
    e.headers
  from unnest(
    :event_n, :event_stream_id, :event_id, :event_version, :event_data, :event_type, :event_at, :event_dotnet_type,
    :event_correlation_id, :event_causation_id, :event_headers
  ) as e (n, stream_id, id, version, data, type, at, dotnet_type, correlation_id, causation_id, headers)
  where :won(e.n)
)
