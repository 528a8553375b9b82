using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>A number, as JSON writes it; a section has only its text.</summary>
internal abstract class NumberShape<T> : Shape<T>
    where T : struct, INumberBase<T>
{
    /// <summary>What may stand in its text.</summary>
    protected abstract NumberStyles Styles { get; }

    public override bool TryRead(ConfigurationNode node, Reading reading, out T value)
    {
        value = default;
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

    private bool TryParse(string text, out T value) => T.TryParse(text, Styles, CultureInfo.InvariantCulture, out value);
}
