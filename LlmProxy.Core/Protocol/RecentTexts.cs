using System.Text;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Texts that the last requests have brought, for those of the next that are the same: a proxy is asked for few models by name. What takes turns
/// with another in one place is made anew each time.
/// </summary>
internal sealed class RecentTexts
{
    // A power of two.
    private const int Most = 64;

    private readonly string?[] _texts = new string?[Most];

    /// <param name="ascii">Not empty.</param>
    public string Of(ReadOnlySpan<byte> ascii)
    {
        // Its length and two of its characters tell few names apart as well as a hash of all of it would.
        ref var place = ref _texts[(ascii.Length + (31 * ascii[^1]) + (7 * ascii[ascii.Length / 2])) & (Most - 1)];
        return Volatile.Read(ref place) is { } known && Ascii.Equals(ascii, known) ? known : place = Encoding.ASCII.GetString(ascii);
    }
}
