using System.Text.Json;
using Ledger.Domain.Keys;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Keys;

/// <summary>Writes the rows of the keys that a batch created or changed.</summary>
public sealed class KeyRows
{
    private readonly Created _created = new();
    private readonly Changed _changed = new();
    private readonly Used _used = new();

    /// <summary>The parts of the statement.</summary>
    public IReadOnlyList<InlineWrite> Parts => [_created, _changed, _used];

    /// <summary>Adds the rows of one account's keys.</summary>
    public void Add(int n, string accountId, KeyRing before, KeyRing after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (ReferenceEquals(before.Keys, after.Keys))
            return;
        foreach (var key in after.Keys.Values)
        {
            var was = before.Find(key.Id);
            if (was is null)
                _created.Add(n, accountId, key);
            else if (ReferenceEquals(was, key))
                continue;
            else if (was == key with { Window = was.Window, Used = was.Used, UsedUsd = was.UsedUsd })
                _used.Add(n, accountId, key);
            else
                _changed.Add(n, accountId, key);
        }
    }

    /// <summary>What of a key can change.</summary>
    /// <remarks>Arrays of arrays must be rectangular, so the allowed models travel as JSON.</remarks>
    private abstract class Row : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<string> _keyId;
        private readonly InlineColumn<string> _name;
        private readonly InlineColumn<string?> _environment;
        private readonly InlineColumn<string> _secretHash;
        private readonly InlineColumn<string> _prefix;
        private readonly InlineColumn<string> _lastFour;
        private readonly InlineColumn<long?> _limit;
        private readonly InlineColumn<long?> _limitUsd;
        private readonly InlineColumn<string> _limitReset;
        private readonly InlineColumn<string> _allowedModels;
        private readonly InlineColumn<int?> _rateBurst;
        private readonly InlineColumn<long?> _rateRefill;
        private readonly InlineColumn<bool?> _rateUnlimited;
        private readonly InlineColumn<DateTimeOffset?> _expiresAt;
        private readonly InlineColumn<DateTimeOffset?> _revokedAt;
        private readonly InlineColumn<bool> _disabled;
        private readonly InlineColumn<DateTimeOffset?> _countedFrom;
        private readonly InlineColumn<int> _secret;
        private readonly InlineColumn<string?> _previousSecretHash;
        private readonly InlineColumn<DateTimeOffset?> _previousUntil;
        private readonly InlineColumn<long> _window;
        private readonly InlineColumn<long> _used;
        private readonly InlineColumn<long> _usedUsd;

        protected Row()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _keyId = Column<string>("key_id", NpgsqlDbType.Varchar);
            _name = Column<string>("name", NpgsqlDbType.Varchar);
            _environment = Column<string?>("environment", NpgsqlDbType.Varchar);
            _secretHash = Column<string>("secret_hash", NpgsqlDbType.Varchar);
            _prefix = Column<string>("prefix", NpgsqlDbType.Varchar);
            _lastFour = Column<string>("last_four", NpgsqlDbType.Varchar);
            _limit = Column<long?>("credit_limit", NpgsqlDbType.Bigint);
            _limitUsd = Column<long?>("usd_limit", NpgsqlDbType.Bigint);
            _limitReset = Column<string>("limit_reset", NpgsqlDbType.Varchar);
            _allowedModels = Column<string>("allowed_models", NpgsqlDbType.Jsonb);
            _rateBurst = Column<int?>("rate_burst", NpgsqlDbType.Integer);
            _rateRefill = Column<long?>("rate_refill_nanos", NpgsqlDbType.Bigint);
            _rateUnlimited = Column<bool?>("rate_unlimited", NpgsqlDbType.Boolean);
            _expiresAt = Column<DateTimeOffset?>("expires_at", NpgsqlDbType.TimestampTz);
            _revokedAt = Column<DateTimeOffset?>("revoked_at", NpgsqlDbType.TimestampTz);
            _disabled = Column<bool>("disabled", NpgsqlDbType.Boolean);
            _countedFrom = Column<DateTimeOffset?>("counted_from", NpgsqlDbType.TimestampTz);
            _secret = Column<int>("secret", NpgsqlDbType.Integer);
            _previousSecretHash = Column<string?>("previous_secret_hash", NpgsqlDbType.Varchar);
            _previousUntil = Column<DateTimeOffset?>("previous_until", NpgsqlDbType.TimestampTz);
            _window = Column<long>("limit_window", NpgsqlDbType.Bigint);
            _used = Column<long>("used", NpgsqlDbType.Bigint);
            _usedUsd = Column<long>("used_usd", NpgsqlDbType.Bigint);
        }

        public virtual void Add(int n, string accountId, Key key)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _keyId.Add(key.Id.Value);
            _name.Add(key.Name);
            _environment.Add(key.Environment);
            _secretHash.Add(key.SecretHash);
            _prefix.Add(key.Prefix);
            _lastFour.Add(key.LastFour);
            _limit.Add(key.Limit?.Parts);
            _limitUsd.Add(key.LimitUsd?.Parts);
            _limitReset.Add(Wire.Of(key.LimitReset));
            _allowedModels.Add(JsonSerializer.Serialize(key.AllowedModels.AsEnumerable()));
            _rateBurst.Add(key.RateLimit?.Burst);
            _rateRefill.Add(key.RateLimit?.RefillPerSecond.Nanos);
            _rateUnlimited.Add(key.RateLimit?.Unlimited);
            _expiresAt.Add(key.ExpiresAt);
            _revokedAt.Add(key.RevokedAt);
            _disabled.Add(key.Disabled);
            _countedFrom.Add(key.CountedFrom);
            _secret.Add(key.Secret);
            _previousSecretHash.Add(key.PreviousSecretHash);
            _previousUntil.Add(key.PreviousUntil);
            _window.Add(key.Window);
            _used.Add(key.Used);
            _usedUsd.Add(key.UsedUsd);
        }
    }

    private sealed class Created : Row
    {
        private readonly InlineColumn<string> _kind;
        private readonly InlineColumn<string> _billing;
        private readonly InlineColumn<DateTimeOffset> _createdAt;
        private readonly InlineColumn<string?> _mintedBy;

        public Created()
        {
            _kind = Column<string>("kind", NpgsqlDbType.Varchar);
            _billing = Column<string>("billing", NpgsqlDbType.Varchar);
            _createdAt = Column<DateTimeOffset>("created_at", NpgsqlDbType.TimestampTz);
            _mintedBy = Column<string?>("minted_by", NpgsqlDbType.Varchar);
        }

        public override string Sql =>
            """
                keys_created as (
                  insert into keys (
                    account_id, key_id, name, environment, secret_hash, prefix, last_four, credit_limit,
                    usd_limit, limit_reset, allowed_models, rate_burst, rate_refill_nanos, rate_unlimited, expires_at, revoked_at,
                    disabled, counted_from, secret, previous_secret_hash, previous_until, limit_window, used, used_usd,
                    kind, billing, created_at, minted_by
                  )
                  select
                    k.account_id, k.key_id, k.name, k.environment, k.secret_hash, k.prefix, k.last_four, k.credit_limit,
                    k.usd_limit, k.limit_reset, array(select jsonb_array_elements_text(k.allowed_models)), k.rate_burst, k.rate_refill_nanos, k.rate_unlimited, k.expires_at, k.revoked_at,
                    k.disabled, k.counted_from, k.secret, k.previous_secret_hash, k.previous_until, k.limit_window, k.used, k.used_usd,
                    k.kind, k.billing, k.created_at, k.minted_by
                  from unnest(
                    :n, :account_id, :key_id, :name, :environment, :secret_hash, :prefix, :last_four,
                    :credit_limit, :usd_limit, :limit_reset, :allowed_models, :rate_burst, :rate_refill_nanos, :rate_unlimited, :expires_at,
                    :revoked_at, :disabled, :counted_from, :secret, :previous_secret_hash, :previous_until, :limit_window, :used,
                    :used_usd, :kind, :billing, :created_at, :minted_by
                  ) as k (
                    n, account_id, key_id, name, environment, secret_hash, prefix, last_four,
                    credit_limit, usd_limit, limit_reset, allowed_models, rate_burst, rate_refill_nanos, rate_unlimited, expires_at,
                    revoked_at, disabled, counted_from, secret, previous_secret_hash, previous_until, limit_window, used,
                    used_usd, kind, billing, created_at, minted_by
                  )
                  where :won(k.n)
                )
                """;

        public override void Add(int n, string accountId, Key key)
        {
            base.Add(n, accountId, key);
            _kind.Add(Wire.Of(key.Kind));
            _billing.Add(Wire.Of(key.Billing));
            _createdAt.Add(key.CreatedAt);
            _mintedBy.Add(key.MintedBy?.Value);
        }
    }

    private sealed class Changed : Row
    {
        public override string Sql =>
            """
                keys_changed as (
                  update keys t
                  set
                    name = k.name,
                    environment = k.environment,
                    secret_hash = k.secret_hash,
                    prefix = k.prefix,
                    last_four = k.last_four,
                    credit_limit = k.credit_limit,
                    usd_limit = k.usd_limit,
                    limit_reset = k.limit_reset,
                    allowed_models = array(select jsonb_array_elements_text(k.allowed_models)),
                    rate_burst = k.rate_burst,
                    rate_refill_nanos = k.rate_refill_nanos,
                    rate_unlimited = k.rate_unlimited,
                    expires_at = k.expires_at,
                    revoked_at = k.revoked_at,
                    disabled = k.disabled,
                    counted_from = k.counted_from,
                    secret = k.secret,
                    previous_secret_hash = k.previous_secret_hash,
                    previous_until = k.previous_until,
                    limit_window = k.limit_window,
                    used = k.used,
                    used_usd = k.used_usd
                  from unnest(
                    :n, :account_id, :key_id, :name, :environment, :secret_hash, :prefix, :last_four,
                    :credit_limit, :usd_limit, :limit_reset, :allowed_models, :rate_burst, :rate_refill_nanos, :rate_unlimited, :expires_at,
                    :revoked_at, :disabled, :counted_from, :secret, :previous_secret_hash, :previous_until, :limit_window, :used,
                    :used_usd
                  ) as k (
                    n, account_id, key_id, name, environment, secret_hash, prefix, last_four,
                    credit_limit, usd_limit, limit_reset, allowed_models, rate_burst, rate_refill_nanos, rate_unlimited, expires_at,
                    revoked_at, disabled, counted_from, secret, previous_secret_hash, previous_until, limit_window, used,
                    used_usd
                  )
                  where :won(k.n)
                    and t.account_id = any (array[k.account_id])
                    and t.key_id = k.key_id
                )
                """;
    }

    /// <summary>What every spend by a limited key changes, apart from the rest: it is all that the write path sends of a key.</summary>
    private sealed class Used : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<string> _keyId;
        private readonly InlineColumn<long> _window;
        private readonly InlineColumn<long> _used;
        private readonly InlineColumn<long> _usedUsd;

        public Used()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _keyId = Column<string>("key_id", NpgsqlDbType.Varchar);
            _window = Column<long>("limit_window", NpgsqlDbType.Bigint);
            _used = Column<long>("used", NpgsqlDbType.Bigint);
            _usedUsd = Column<long>("used_usd", NpgsqlDbType.Bigint);
        }

        public override string Sql =>
            """
                keys_used as (
                  update keys t
                  set
                    limit_window = k.limit_window,
                    used = k.used,
                    used_usd = k.used_usd
                  from unnest(:n, :account_id, :key_id, :limit_window, :used, :used_usd)
                    as k (n, account_id, key_id, limit_window, used, used_usd)
                  where :won(k.n)
                    and t.account_id = any (array[k.account_id])
                    and t.key_id = k.key_id
                )
                """;

        public void Add(int n, string accountId, Key key)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _keyId.Add(key.Id.Value);
            _window.Add(key.Window);
            _used.Add(key.Used);
            _usedUsd.Add(key.UsedUsd);
        }
    }
}
