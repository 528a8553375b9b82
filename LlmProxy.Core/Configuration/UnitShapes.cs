using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// A whole number with its unit in one text. A bare number is refused because every reader takes it for another unit:
/// the configuration binder reads a duration of <c>"300"</c> as 300 days.
/// </summary>
internal abstract class UnitShape<T> : Shape<T>
{
    public abstract IReadOnlyList<(string Unit, long Factor)> Units { get; }

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        if (node.Kind is not (JsonValueKind.String or JsonValueKind.Number))
        {
            return Mismatch(node, reading, out value);
        }

        if (!reading.TryFill(node, out var text, out var filled))
        {
            return false;
        }

        var shown = node.Kind == JsonValueKind.Number ? node.Text : Problems.Quote(node.Text);
        var digits = text.Length - text.AsSpan().TrimStart("0123456789").Length;
        var unit = text[digits..];
        var isNumber = long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        if (isNumber && unit.Length == 0 && number != 0)
        {
            reading.Refuse(node, $"{shown} needs a unit: {(filled ? Example : Suggest(number))}.");
            return false;
        }

        // Nothing is nothing in every unit.
        var factor = number == 0 && unit.Length == 0 ? 1 : Units.FirstOrDefault(u => u.Unit == unit).Factor;
        if (isNumber && factor > 0 && number <= long.MaxValue / factor && TryConvert(number * factor, out value))
        {
            return true;
        }

        var meant = Units.FirstOrDefault(u => isNumber && !filled && Means(unit.Trim(), u.Unit)).Unit;
        reading.Refuse(node, isNumber && factor > 0
            ? $"{shown} is too large."
            : $"{shown} is not {Expected}: write {(meant is null ? Example : $"\"{number}{meant}\"")}. Units are {string.Join(", ", Units.Select(static u => u.Unit))}.");
        value = default;
        return false;
    }

    protected abstract string Example { get; }

    protected abstract string Suggest(long number);

    /// <summary>True if an unknown unit is another way to write a known one.</summary>
    protected abstract bool Means(string written, string unit);

    protected abstract bool TryConvert(long amount, [MaybeNullWhen(false)] out T value);
}

/// <summary>A duration, for example <c>"30s"</c>.</summary>
internal sealed class DurationShape : UnitShape<TimeSpan>
{
    public static DurationShape Instance { get; } = new();

    public override string Expected => "a duration";

    public override IReadOnlyList<(string Unit, long Factor)> Units { get; } =
        [("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute), ("h", TimeSpan.TicksPerHour)];

    protected override string Example => "\"300ms\", \"30s\", \"5m\" or \"1h\"";

    protected override string Suggest(long number) =>
        $"\"{number}s\" or {(number % 60 == 0 ? $"\"{number / 60}m\"" : $"\"{number}ms\"")}";

    protected override bool Means(string written, string unit) =>
        string.Equals(written, unit, StringComparison.OrdinalIgnoreCase) || unit == written.ToLowerInvariant() switch
        {
            "sec" or "secs" or "second" or "seconds" => "s",
            "min" or "mins" or "minute" or "minutes" => "m",
            "hr" or "hrs" or "hour" or "hours" => "h",
            _ => "",
        };

    protected override bool TryConvert(long amount, out TimeSpan value)
    {
        value = TimeSpan.FromTicks(amount);
        return true;
    }
}

/// <summary>A size in bytes, for example <c>"64MiB"</c>.</summary>
internal abstract class SizeShape<T> : UnitShape<T>
{
    public override string Expected => "a size";

    public override IReadOnlyList<(string Unit, long Factor)> Units { get; } =
        [("B", 1), ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30)];

    protected override string Example => "\"512B\", \"64KiB\" or \"64MiB\"";

    protected override string Suggest(long number) => number % 1024 == 0 ? $"\"{number / 1024}KiB\" or \"{number}B\"" : $"\"{number}MiB\" or \"{number}B\"";

    protected override bool Means(string written, string unit) =>
        string.Equals(written, unit, StringComparison.OrdinalIgnoreCase)
        || string.Equals(written, unit.Replace("i", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase)
        || string.Equals(written, unit[..1], StringComparison.OrdinalIgnoreCase);
}

/// <summary>A size that may pass 2 GiB.</summary>
internal sealed class LongSizeShape : SizeShape<long>
{
    public static LongSizeShape Instance { get; } = new();

    protected override bool TryConvert(long amount, out long value)
    {
        value = amount;
        return true;
    }
}

/// <summary>A size that one buffer can have.</summary>
internal sealed class BufferSizeShape : SizeShape<int>
{
    public static BufferSizeShape Instance { get; } = new();

    protected override bool TryConvert(long amount, out int value)
    {
        value = amount <= int.MaxValue ? (int)amount : 0;
        return amount <= int.MaxValue;
    }
}
