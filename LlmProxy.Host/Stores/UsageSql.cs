using System.Data.Common;
using System.Text;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>What is asked about rows, as SQL: the parts that databases understand alike. Values are parameters, always.</summary>
internal static class UsageSql
{
    // The order of Read. Counts are cast: what a sum of whole numbers is differs from database to database.
    private static readonly string _sums = string.Join(", ",
    [
        Count("COUNT(*)"),
        Count("SUM(CASE WHEN ended <> 'ok' THEN 1 ELSE 0 END)"),
        Count("SUM(input_tokens)"), Count("SUM(cached_input_tokens)"), Count("SUM(cache_write_tokens)"), Count("SUM(output_tokens)"),
        "SUM(cost)", "SUM(operator_cost)",
        Count("SUM(CASE WHEN cost IS NULL AND COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0) > 0 THEN 1 ELSE 0 END)"),
        Count("SUM(CASE WHEN usage_source = 'estimate' THEN 1 ELSE 0 END)"),
    ]);

    /// <summary>The sums of a query: its <see cref="UsageQuery.By"/> first, then what <see cref="Read"/> takes.</summary>
    /// <param name="query">The query.</param>
    /// <param name="bucket">The column of <see cref="UsageKey.Time"/>.</param>
    /// <param name="condition">See <see cref="Condition"/>.</param>
    public static string Select(UsageQuery query, string bucket, string condition)
    {
        var columns = query.By.Select(by => by == UsageKey.Time ? bucket : ColumnOf(by)).ToArray();
        var sql = new StringBuilder("SELECT ");
        foreach (var column in columns)
        {
            sql.Append(column).Append(", ");
        }

        sql.Append(_sums).Append(" FROM llmproxy_requests").Append(condition);
        if (columns.Length > 0)
        {
            // By number: a bucket is an expression. Empty ones first, whatever a database does by itself.
            var numbers = Enumerable.Range(1, columns.Length).ToArray();
            sql.Append(" GROUP BY ").AppendJoin(", ", numbers)
                .Append(" ORDER BY ").AppendJoin(", ", columns.Select(static (column, i) => $"({column}) IS NOT NULL, {i + 1}"));
        }

        return query.Limit > 0 ? sql.Append(" LIMIT ").Append(query.Limit).ToString() : sql.ToString();
    }

    /// <summary>The <c>WHERE</c> of a query, empty for all rows.</summary>
    /// <param name="query">The query.</param>
    /// <param name="time">Adds a moment as a parameter and gives its name.</param>
    /// <param name="isAnyOf">Adds texts as one parameter and gives the condition that a column is one of them.</param>
    public static string Condition(UsageQuery query, Func<DateTimeOffset, string> time, Func<string, IReadOnlyCollection<string>, string> isAnyOf)
    {
        var all = new List<string>();
        if (query.Since is { } since)
        {
            all.Add("started >= " + time(since));
        }

        if (query.Until is { } until)
        {
            all.Add("started < " + time(until));
        }

        if (query.Keys.Count > 0)
        {
            all.Add($"({isAnyOf("key_id", query.Keys)} OR {isAnyOf("key_name", query.Keys)})");
        }

        Any("group_name", query.Groups);
        Any("model", query.Models);
        Any("upstream", query.Upstreams);
        Any("end_user", query.EndUsers);
        return all.Count == 0 ? "" : " WHERE " + string.Join(" AND ", all);

        void Any(string column, IReadOnlyList<string> values)
        {
            if (values.Count > 0)
            {
                all.Add(isAnyOf(column, values));
            }
        }
    }

    public static UsageTotal Read(DbDataReader row, int keys, IColumnTypes types)
    {
        var key = new string?[keys];
        for (var i = 0; i < keys; i++)
        {
            key[i] = Columns.ReadText(row, i);
        }

        var (input, cached, written) = (Number(2), Number(3), Number(4));
        return new UsageTotal
        {
            Key = key,
            Requests = Number(0),
            Failed = Number(1),
            Input = Math.Max(0, input - cached - written),
            Cached = cached,
            Written = written,
            Output = Number(5),
            Cost = Money(6),
            OperatorCost = Money(7),
            Unpriced = Number(8),
            Estimated = Number(9),
        };

        long Number(int column) => Columns.ReadNumber(row, keys + column) ?? 0;
        decimal Money(int column) => row.IsDBNull(keys + column) ? 0 : types.ReadMoney(row, keys + column);
    }

    private static string Count(string sum) => $"CAST({sum} AS BIGINT)";

    private static string ColumnOf(UsageKey by) => by switch
    {
        UsageKey.Key => "key_name",
        UsageKey.Group => "group_name",
        UsageKey.EndUser => "end_user",
        UsageKey.Model => "model",
        UsageKey.Upstream => "upstream",
        _ => throw new ArgumentOutOfRangeException(nameof(by), by, null),
    };
}
