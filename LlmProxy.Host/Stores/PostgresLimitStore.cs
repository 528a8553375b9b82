using LlmProxy.Core.Admission;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>
/// Shares limits out among replicas in PostgreSQL. Each has one row per window: what it has used, what it holds beyond that, and until
/// when. Every exchange is one round trip and one transaction, which holds the window's row in <c>llmproxy_limits</c> meanwhile.
/// </summary>
internal sealed class PostgresLimitStore(PostgresDatabase database) : ILimitStore
{
    /// <summary>
    /// How long the count of a replica that is no longer heard of is kept as its own. One that comes back later tells it again, and it
    /// counts twice: on the safe side.
    /// </summary>
    private const string KeptAlone = "interval '7 days'";

    /// <summary>How long after its end a window may still be told of.</summary>
    private const string KeptEnded = "interval '1 hour'";

    // All asked for, as rows: $1 meters, $2 periods, $3 limits, $4 used, $5 holds, $6 seconds, $7 ends; $8 who asks.
    private const string Asked = """
        unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[], $6::float8[], $7::timestamptz[])
            WITH ORDINALITY AS a(meter, period, most, used, hold, seconds, ends, place)
        """;

    // The rows are locked in the order in which they are given, which is the same for all: nobody waits in a circle.
    // A budget that is new goes on from what the ledger says was spent.
    private const string Take = $"""
        INSERT INTO llmproxy_limits AS l (meter, period, forgotten, ends)
        SELECT a.meter, a.period,
            CASE WHEN a.meter LIKE '%/usd' THEN COALESCE((SELECT p.cost FROM llmproxy_spend p WHERE p.period = a.period AND p.meter = left(a.meter, -4)), 0) ELSE 0 END,
            a.ends
        FROM {Asked} ORDER BY a.place
        ON CONFLICT (meter, period) DO UPDATE SET ends = excluded.ends
        """;

    // A replica that was not heard of in time holds nothing; of requests that run now ("now") it has none any more either.
    private const string Share = $"""
        INSERT INTO llmproxy_slices AS s (meter, period, replica, used, held, expires)
        SELECT a.meter, a.period, $8, a.used, GREATEST(0, LEAST(a.hold, a.most - l.forgotten - o.used - o.held - a.used)),
            clock_timestamp() + make_interval(secs => a.seconds)
        FROM {Asked}
        JOIN llmproxy_limits l ON l.meter = a.meter AND l.period = a.period
        CROSS JOIN LATERAL (
            SELECT COALESCE(SUM(CASE WHEN x.period = 'now' AND x.expires <= clock_timestamp() THEN 0 ELSE x.used END), 0) AS used,
                COALESCE(SUM(CASE WHEN x.expires <= clock_timestamp() THEN 0 ELSE x.held END), 0) AS held
            FROM llmproxy_slices x WHERE x.meter = a.meter AND x.period = a.period AND x.replica <> $8) o
        ON CONFLICT (meter, period, replica) DO UPDATE SET used = excluded.used, held = excluded.held, expires = excluded.expires
        """;

    private const string Tell = $"""
        SELECT s.held, l.forgotten + o.used
        FROM {Asked}
        JOIN llmproxy_limits l ON l.meter = a.meter AND l.period = a.period
        JOIN llmproxy_slices s ON s.meter = a.meter AND s.period = a.period AND s.replica = $8
        CROSS JOIN LATERAL (
            SELECT SUM(CASE WHEN x.period = 'now' AND x.expires <= clock_timestamp() THEN 0 ELSE x.used END) AS used
            FROM llmproxy_slices x WHERE x.meter = a.meter AND x.period = a.period) o
        ORDER BY a.place
        """;

    public async ValueTask<IReadOnlyList<LimitGrant>> ExchangeAsync(string replica, IReadOnlyList<LimitAsk> asks, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(asks);
        if (asks.Count == 0)
        {
            return [];
        }

        var inOrder = Enumerable.Range(0, asks.Count).ToArray();
        Array.Sort(inOrder, (a, b) => string.CompareOrdinal(asks[a].Meter, asks[b].Meter) is not 0 and var order
            ? order
            : string.CompareOrdinal(asks[a].Window, asks[b].Window));
        return await database.WriteAsync(connection => ExchangeAsync(connection, replica, asks, inOrder, cancellationToken), cancellationToken);
    }

    private static async Task<LimitGrant[]> ExchangeAsync(
        NpgsqlConnection connection, string replica, IReadOnlyList<LimitAsk> asks, int[] inOrder, CancellationToken cancellationToken)
    {
        var grants = new LimitGrant[asks.Count];
        await using var batch = new NpgsqlBatch(connection);
        var values = Values([.. inOrder.Select(i => asks[i])]);
        batch.BatchCommands.Add(PostgresText.BatchCommand(Take, values));
        batch.BatchCommands.Add(PostgresText.BatchCommand(Share, [.. values, StoredText.Of(replica)]));
        batch.BatchCommands.Add(PostgresText.BatchCommand(Tell, [.. values, StoredText.Of(replica)]));
        await using var rows = await batch.ExecuteReaderAsync(cancellationToken);
        foreach (var place in inOrder)
        {
            if (!await rows.ReadAsync(cancellationToken))
            {
                throw new InvalidOperationException("The store answered for fewer limits than it was asked for.");
            }

            grants[place] = new LimitGrant(rows.GetDecimal(0), rows.GetDecimal(1));
        }

        return grants;
    }

    /// <summary>Takes away windows that have ended, and the shares of replicas that are no longer heard of, whose count stays. What another has in hand is left for the next time.</summary>
    public async Task ForgetAsync(CancellationToken cancellationToken) =>
        await database.WriteAsync(connection => ForgetAsync(connection, cancellationToken), cancellationToken);

    private static async Task<int> ForgetAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"""
            WITH ended AS (
                SELECT meter, period FROM llmproxy_limits WHERE ends < clock_timestamp() - {KeptEnded} ORDER BY meter, period LIMIT 1000 FOR UPDATE SKIP LOCKED),
            shares AS (DELETE FROM llmproxy_slices s USING ended e WHERE s.meter = e.meter AND s.period = e.period)
            DELETE FROM llmproxy_limits l USING ended e WHERE l.meter = e.meter AND l.period = e.period
            """));
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"""
            WITH held AS (
                SELECT l.meter, l.period FROM llmproxy_limits l
                WHERE EXISTS (SELECT 1 FROM llmproxy_slices s WHERE s.meter = l.meter AND s.period = l.period AND s.expires < clock_timestamp() - {KeptAlone})
                ORDER BY l.meter, l.period LIMIT 1000 FOR UPDATE OF l SKIP LOCKED),
            gone AS (
                DELETE FROM llmproxy_slices s USING held h
                WHERE s.meter = h.meter AND s.period = h.period AND s.expires < clock_timestamp() - {KeptAlone}
                RETURNING s.meter, s.period, s.used),
            sums AS (SELECT meter, period, SUM(used) AS used FROM gone WHERE period <> 'now' GROUP BY meter, period)
            UPDATE llmproxy_limits l SET forgotten = l.forgotten + g.used FROM sums g WHERE l.meter = g.meter AND l.period = g.period
            """));
        return await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static object[] Values(LimitAsk[] asks) =>
    [
        asks.Select(static a => StoredText.Of(a.Meter)).ToArray(),
        asks.Select(static a => StoredText.Of(a.Window)).ToArray(),
        asks.Select(static a => a.Limit).ToArray(),
        asks.Select(static a => a.Used).ToArray(),
        asks.Select(static a => a.Hold).ToArray(),
        asks.Select(static a => a.Expires.TotalSeconds).ToArray(),
        // Without an end: "infinity".
        asks.Select(static a => a.Ends?.UtcDateTime ?? DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc)).ToArray(),
    ];
}
