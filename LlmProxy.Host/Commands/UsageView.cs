using System.Globalization;
using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>Sums of the ledger as people read them.</summary>
internal static class UsageView
{
    public static void Write(JsonElement answer, TextWriter output)
    {
        var by = answer.GetProperty("by").EnumerateArray().Select(static b => b.GetString()!).ToList();
        var table = new TextTable(
        [
            .. by.Select(static name => new TextColumn(name)),
            new("requests", true), new("input", true), new("cached", true), new("written", true), new("output", true), new("USD", true),
        ]);
        var all = new Sums();
        var part = new Sums();
        string? first = null;
        var totals = answer.GetProperty("totals").EnumerateArray().ToList();
        foreach (var total in totals)
        {
            var keys = by.Select(name => total.GetProperty(name).GetString() ?? "-").ToArray();
            if (by.Count > 1 && first is not null && keys[0] != first)
            {
                part = AddPart(table, by.Count, first, part);
            }

            first = by.Count > 0 ? keys[0] : null;
            var one = Sums.Of(total);
            table.Add([.. keys, .. one.Cells()]);
            part.Add(one);
            all.Add(one);
        }

        if (by.Count > 1 && first is not null)
        {
            AddPart(table, by.Count, first, part);
        }

        if (by.Count > 0 && totals.Count > 1)
        {
            table.Add([.. by.Select(static (_, i) => i == 0 ? "all" : ""), .. all.Cells()]);
        }

        table.Write(output);
        WriteNotes(answer, all, output);
    }

    private static Sums AddPart(TextTable table, int columns, string name, Sums part)
    {
        if (part.Rows > 1)
        {
            table.Add([name, .. Enumerable.Repeat("", columns - 1), .. part.Cells()]);
        }

        return new Sums();
    }

    private static void WriteNotes(JsonElement answer, Sums all, TextWriter output)
    {
        var estimated = all.Requests == 0 ? 0 : 100m * all.Estimated / all.Requests;
        var waiting = answer.TryGetProperty("waiting", out var rows) ? rows.GetInt64() : 0;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{100 - estimated:0.#} % from upstream usage, {estimated:0.#} % estimated, {all.Unpriced:N0} unpriced, {waiting:N0} rows waiting"));
        if (all.OperatorCost > 0)
        {
            output.WriteLine($"{TextTable.Dollars(all.OperatorCost)} USD beside that for attempts that another one overtook, and for copies");
        }
    }

    private sealed class Sums
    {
        public int Rows { get; private set; }

        public long Requests { get; private set; }

        public long Estimated { get; private set; }

        public long Unpriced { get; private set; }

        public decimal OperatorCost { get; private set; }

        private long Input { get; set; }

        private long Cached { get; set; }

        private long Written { get; set; }

        private long Output { get; set; }

        private decimal Cost { get; set; }

        public static Sums Of(JsonElement total) => new()
        {
            Rows = 1,
            Requests = total.GetProperty("requests").GetInt64(),
            Input = total.GetProperty("input_tokens").GetInt64(),
            Cached = total.GetProperty("cached_tokens").GetInt64(),
            Written = total.GetProperty("written_tokens").GetInt64(),
            Output = total.GetProperty("output_tokens").GetInt64(),
            Cost = total.GetProperty("cost").GetDecimal(),
            OperatorCost = total.GetProperty("operator_cost").GetDecimal(),
            Unpriced = total.GetProperty("unpriced").GetInt64(),
            Estimated = total.GetProperty("estimated").GetInt64(),
        };

        public void Add(Sums other)
        {
            Rows++;
            Requests += other.Requests;
            Input += other.Input;
            Cached += other.Cached;
            Written += other.Written;
            Output += other.Output;
            Cost += other.Cost;
            OperatorCost += other.OperatorCost;
            Unpriced += other.Unpriced;
            Estimated += other.Estimated;
        }

        public string[] Cells() =>
            [TextTable.Number(Requests), TextTable.Millions(Input), TextTable.Millions(Cached), TextTable.Millions(Written), TextTable.Millions(Output), TextTable.Dollars(Cost)];
    }
}
