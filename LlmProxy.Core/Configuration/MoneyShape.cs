using System.Globalization;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>US dollars, as a JSON number. Decimal all the way: a price of 0.1 is that and not the nearest binary fraction.</summary>
internal sealed class MoneyShape : Shape<decimal>
{
    public static MoneyShape Instance { get; } = new();

    public override string Expected => "a number of US dollars";

    public override bool TryRead(ConfigurationNode node, Reading reading, out decimal value)
    {
        value = 0;
        if (node.Kind is not (JsonValueKind.Number or JsonValueKind.String))
        {
            return Mismatch(node, reading, out value);
        }

        var text = node.Text;
        if (node.Kind == JsonValueKind.String)
        {
            if (node.IsTyped)
            {
                reading.Refuse(node, TryParse(text, out value)
                    ? $"{Problems.Quote(text)} is text here: write {text.Trim()}, without quotes."
                    : $"needs {Expected} without quotes, not {Problems.Quote(text)}.");
                return false;
            }

            if (!reading.TryFill(node, out text, out _))
            {
                return false;
            }
        }

        if (TryParse(text, out value))
        {
            return true;
        }

        reading.Refuse(node, $"needs {Expected}, not {Problems.Quote(node.Text)}.");
        return false;
    }

    private static bool TryParse(string text, out decimal value) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
}
