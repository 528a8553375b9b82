using System.Globalization;

namespace LlmProxy.Core.Relaying;

/// <summary>Numbers as text, for those that are written again and again, such as limits.</summary>
internal sealed class NumberTexts
{
    // A power of two. Two that share a place are written anew each time.
    private const int Most = 64;

    private readonly Written?[] _written = new Written?[Most];

    public string Of(long number)
    {
        // Limits are round: what tells them apart are not their last bits alone.
        ref var place = ref _written[(int)(((ulong)number * 0x9E37_79B9_7F4A_7C15) >> 58)];
        if (Volatile.Read(ref place) is not { } known || known.Number != number)
        {
            known = new Written(number, number.ToString(CultureInfo.InvariantCulture));
            Volatile.Write(ref place, known);
        }

        return known.Text;
    }

    private sealed record Written(long Number, string Text);
}
