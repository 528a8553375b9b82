using System.Text;

namespace LlmProxy.Core.Protocol;

/// <summary>The top-level request parameters that somebody acts on; all others are passed over.</summary>
/// <remarks>
/// Servers read keys differently: Go's decoder takes <c>Model</c>, <c>ſtream</c> and a Kelvin sign for a k. Two readings of
/// one field is how an allow-list is bypassed, so such twins are found here and refused by who acts on the field.
/// </remarks>
internal sealed class FieldNames
{
    private const int LongestByLength = 32;

    public const int Model = 0;
    public const int Stream = 1;
    public const int StreamOptions = 2;
    public const int Choices = 3;
    public const int PreviousResponse = 4;
    public const int Conversation = 5;
    public const int MaxTokens = 6;
    public const int MaxCompletionTokens = 7;
    public const int MaxOutputTokens = 8;

    // The first in the order of the constants. The others decide what a request may cost.
    private static readonly string[] _always =
        ["model", "stream", "stream_options", "n", "previous_response_id", "conversation", "max_tokens", "max_completion_tokens", "max_output_tokens"];

    // What tells who a request is for and what it is part of. Looked at on the way, and passed on as it came.
    private static readonly (string Name, IdentityRole Role, IdentityParts For)[] _telling =
    [
        ("user", IdentityRole.User, IdentityParts.User),
        ("safety_identifier", IdentityRole.User, IdentityParts.User),
        ("metadata", IdentityRole.Metadata, IdentityParts.User),
        ("prompt_cache_key", IdentityRole.CacheKey, IdentityParts.Conversation | IdentityParts.Prompt),
        ("input", IdentityRole.Turns, IdentityParts.Conversation | IdentityParts.Prompt),
        ("messages", IdentityRole.Turns, IdentityParts.Prompt),
        ("prompt", IdentityRole.Text, IdentityParts.Prompt),
        ("system", IdentityRole.Shared, IdentityParts.Prompt),
        ("instructions", IdentityRole.Shared, IdentityParts.Prompt),
        ("tools", IdentityRole.Shared, IdentityParts.Prompt),
    ];

    private readonly string[] _names;
    private readonly int _actedOn;
    private readonly IdentityRole[] _roles;
    private readonly byte[][] _bytes;
    private readonly Dictionary<string, int> _folded = new(StringComparer.Ordinal);

    // Which names have that many bytes; the last are those of as many or more.
    private readonly int[][] _ofLength;

    /// <param name="more">Parameters that are edited.</param>
    /// <param name="identity">What else requests are scanned for.</param>
    public FieldNames(IEnumerable<string> more, IdentityParts identity = IdentityParts.None)
    {
        string[] actedOn = [.. _always, .. more.Except(_always, StringComparer.Ordinal).Distinct(StringComparer.Ordinal)];
        var telling = _telling.Where(t => (t.For & identity) != 0).ToDictionary(t => t.Name, t => t.Role, StringComparer.Ordinal);
        TellIdentity = telling.Count > 0;
        _actedOn = actedOn.Length;
        _names = [.. actedOn, .. telling.Keys.Except(actedOn, StringComparer.Ordinal)];
        _roles = [.. _names.Select(name => telling.GetValueOrDefault(name))];
        _bytes = [.. _names.Select(Encoding.UTF8.GetBytes)];
        for (var i = 0; i < _names.Length; i++)
        {
            _folded.TryAdd(Fold(_names[i]), i);
        }

        var byLength = Enumerable.Range(0, _bytes.Length).ToLookup(i => Math.Min(_bytes[i].Length, LongestByLength));
        _ofLength = [.. Enumerable.Range(0, LongestByLength + 1).Select(length => byLength[length].ToArray())];
    }

    /// <summary>How many names, from the first on, the proxy itself acts on.</summary>
    public static int AlwaysCount => _always.Length;

    /// <summary>Only what the proxy itself acts on.</summary>
    public static FieldNames Standard { get; } = new([]);

    /// <summary>Is it a parameter that the proxy or an edit acts on? Only those are kept as fields.</summary>
    public bool IsActedOn(int index) => (uint)index < (uint)_actedOn;

    /// <summary>Some of them tell who a request is for.</summary>
    public bool TellIdentity { get; }

    /// <summary>What it tells of who a request is for.</summary>
    public IdentityRole RoleOf(int index) => _roles[index];

    public int IndexOf(string name) => Array.IndexOf(_names, name);

    public string this[int index] => _names[index];

    /// <summary>Finds a plain name: ASCII, no escapes. <paramref name="isExact"/> is false for a twin in other case.</summary>
    public int Find(ReadOnlySpan<byte> name, out bool isExact)
    {
        var twin = -1;
        foreach (var i in _ofLength[Math.Min(name.Length, LongestByLength)])
        {
            if (name.SequenceEqual(_bytes[i]))
            {
                isExact = true;
                return i;
            }

            // 0x20 is what tells a letter's case.
            if (((_bytes[i][0] ^ name[0]) & ~0x20) == 0 && Ascii.EqualsIgnoreCase(name, _bytes[i]))
            {
                twin = i;
            }
        }

        isExact = false;
        return twin;
    }

    /// <summary>Finds a name that had escapes or letters beyond ASCII.</summary>
    public int Find(string name, out bool isExact)
    {
        var exact = Array.IndexOf(_names, name);
        isExact = exact >= 0;
        return isExact ? exact : _folded.GetValueOrDefault(Fold(name), -1);
    }

    // U+017F and U+212A are the two letters beyond ASCII whose simple case folding is an ASCII letter.
    private static string Fold(string name) => name.Replace('\u017F', 's').Replace('\u212A', 'k').ToLowerInvariant();
}
