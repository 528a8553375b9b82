using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>What of a request's identity is looked for; each costs a little, so only what some model needs.</summary>
[Flags]
internal enum IdentityParts
{
    None = 0,

    /// <summary>The end user it names.</summary>
    User = 1,

    /// <summary>The conversation, as far as that is told by a cache key or by the first user message of <c>input</c>.</summary>
    Conversation = 2,

    /// <summary>The conversation by all that a prompt cache goes by: tools, system prompt and the first user message.</summary>
    Prompt = 4,
}

/// <summary>What a top-level member says of it.</summary>
internal enum IdentityRole
{
    None,
    User,
    Metadata,
    CacheKey,

    /// <summary>Part of the prompt whatever is said: tools, a system prompt.</summary>
    Shared,

    /// <summary>What is said, turn by turn.</summary>
    Turns,

    /// <summary>A prompt as one text, which may grow from request to request.</summary>
    Text,
}

/// <summary>
/// Who a request is for and which conversation it belongs to, as hashes taken while the body is read; 0: it does not say. Only
/// texts count, not how they are wrapped: clients move cache marks about and write the same message in more than one form.
/// </summary>
internal struct RequestIdentity
{
    // Of a prompt that grows, the beginning stays.
    private const int TextStart = 1024;

    private Fingerprint _shared;
    private Fingerprint _first;

    public ulong User { get; private set; }

    public ulong CacheKey { get; private set; }

    /// <summary>Of tools, system prompt and the first user message; what comes after it does not count.</summary>
    public readonly ulong Prompt => _shared.IsEmpty && _first.IsEmpty ? 0 : Fingerprint.Join(_shared.Value, _first.Value);

    /// <summary>Takes a member's value, which the reader stands on.</summary>
    /// <param name="role">What the member says.</param>
    /// <param name="reader">Left at the first or at the last token of the value, or if <paramref name="isChecked"/> anywhere in it.</param>
    /// <param name="isChecked">The value is known to be JSON, so that nobody needs to read all of it.</param>
    public void Take(IdentityRole role, ref Utf8JsonReader reader, bool isChecked = false)
    {
        switch (role)
        {
            case IdentityRole.User:
                User = OfString(reader) is not 0 and var user ? user : User;
                break;
            case IdentityRole.Metadata:
                User = JsonMembers.Find(reader, "user_id"u8, out var id) && OfString(id) is not 0 and var named ? named : User;
                break;
            case IdentityRole.CacheKey:
                CacheKey = OfString(reader);
                break;
            case IdentityRole.Shared:
                AddTexts(ref reader, ref _shared);
                break;
            case IdentityRole.Turns:
                TakeTurns(ref reader, isChecked);
                break;
            case IdentityRole.Text:
                AddScalar(reader, ref _first, TextStart);
                break;
        }
    }

    private void TakeTurns(ref Utf8JsonReader reader, bool isChecked)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            AddScalar(reader, ref _first);
            return;
        }

        var depth = reader.CurrentDepth;
        var isFound = false;
        while (!(isFound && isChecked) && reader.Read() && reader.CurrentDepth > depth)
        {
            if (isFound)
            {
                reader.Skip();
            }
            else if (reader.TokenType == JsonTokenType.StartObject)
            {
                isFound = TakeTurn(ref reader);
            }
            else
            {
                // Texts to be embedded, say: the first is as good as any.
                AddTexts(ref reader, ref _first);
                isFound = true;
            }
        }
    }

    /// <returns>It was the first of the user's.</returns>
    private bool TakeTurn(ref Utf8JsonReader reader)
    {
        var texts = new Fingerprint();
        var isUser = false;
        var isShared = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("role"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.String)
                {
                    isUser = reader.ValueTextEquals("user"u8);
                    isShared = reader.ValueTextEquals("system"u8) || reader.ValueTextEquals("developer"u8);
                }

                reader.Skip();
            }
            else if (IsWrapping(reader))
            {
                reader.Skip();
            }
            else
            {
                reader.Read();
                AddTexts(ref reader, ref texts);
            }
        }

        if (isUser)
        {
            _first = texts;
        }
        else if (isShared)
        {
            var value = texts.Value;
            _shared.Add(System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value)));
        }

        return isUser;
    }

    /// <summary>Adds all texts and numbers of a value; the reader is left at its end.</summary>
    private static void AddTexts(ref Utf8JsonReader reader, ref Fingerprint print)
    {
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            AddScalar(reader, ref print);
            return;
        }

        var depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
            {
                AddScalar(reader, ref print);
            }
            else if (IsWrapping(reader))
            {
                reader.Skip();
            }
        }
    }

    // By length first: hardly any name has one of these.
    private static bool IsWrapping(in Utf8JsonReader reader) =>
        (reader.HasValueSequence || reader.ValueSpan.Length is 2 or 4 or 6 or 13)
        && (reader.ValueTextEquals("type"u8) || reader.ValueTextEquals("cache_control"u8) || reader.ValueTextEquals("id"u8) || reader.ValueTextEquals("status"u8));

    // As written, escapes and all: who writes a text a second time writes it the same way.
    private static void AddScalar(in Utf8JsonReader reader, ref Fingerprint print, int most = int.MaxValue)
    {
        if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.Number))
        {
            return;
        }

        if (reader.HasValueSequence)
        {
            foreach (var part in reader.ValueSequence.Slice(0, Math.Min(most, reader.ValueSequence.Length)))
            {
                print.Add(part.Span);
            }
        }
        else
        {
            print.Add(reader.ValueSpan[..Math.Min(most, reader.ValueSpan.Length)]);
        }

        // Where one text ends and the next begins is part of what is said.
        print.Add("\""u8);
    }

    private static ulong OfString(in Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            return 0;
        }

        var print = new Fingerprint();
        AddScalar(reader, ref print);
        return print.Value;
    }
}
