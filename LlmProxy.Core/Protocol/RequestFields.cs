using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The top level of a request's JSON body, read once: what it asks for and where that stands.</summary>
internal sealed partial class RequestFields
{
    private const int LongestModel = 256;
    private const int MostChoices = 128;

    private static readonly JsonReaderOptions _options = new() { MaxDepth = 1000, CommentHandling = JsonCommentHandling.Disallow };

    private static readonly RequestIdentity _nobody;

    private bool _hasModel;
    private StrongBox<RequestIdentity>? _identity;

    /// <summary>The names that <see cref="RequestField.Name"/> stands for.</summary>
    public required FieldNames Names { get; init; }

    /// <summary>How many members the object has, those passed over included.</summary>
    public int MemberCount { get; private set; }

    /// <summary>The offset behind the opening brace.</summary>
    public long Opening { get; private set; }

    /// <summary>The model asked for; empty if none was named (which is refused).</summary>
    public string Model { get; private set; } = "";

    public bool Stream { get; private set; }

    /// <summary>How many choices are asked for, from 1.</summary>
    public int Choices { get; private set; } = 1;

    /// <summary><c>stream_options.include_usage</c>.</summary>
    public bool IncludesUsage { get; private set; }

    /// <summary>Where the value of <c>include_usage</c> stands in that of <c>stream_options</c>; no length where it is not there.</summary>
    public SseRange UsageFlag { get; private set; }

    /// <summary><c>stream_options</c> is an object without members.</summary>
    public bool HasNoStreamOptions { get; private set; }

    /// <summary>The response that the request goes on from; null if it names none.</summary>
    public string? PreviousResponse { get; private set; }

    /// <summary>The stored conversation that the request is part of; null if it names none.</summary>
    public string? Conversation { get; private set; }

    /// <summary>Who it is for and which conversation it belongs to, as far as the <see cref="Names"/> make it look for that.</summary>
    public ref readonly RequestIdentity Identity => ref (_identity is null ? ref _nobody : ref _identity.Value);

    /// <summary>The fields of a request without a body.</summary>
    /// <param name="stream">It asks for a stream by other means.</param>
    public static RequestFields Bodyless(bool stream) => new() { Names = FieldNames.Standard, Stream = stream };

    /// <summary>What is left of fields that nobody needs any more.</summary>
    public static RequestFields Gone { get; } = Bodyless(stream: false);

    /// <summary>Reads a body.</summary>
    /// <param name="body">All of it.</param>
    /// <param name="names">What to look for.</param>
    /// <param name="model">The model, where the request has named it already: then it counts, and the body may name another or none.</param>
    public static Result<RequestFields> Read(in ReadOnlySequence<byte> body, FieldNames names, string? model = null)
    {
        var first = body.FirstSpan;
        if (IsUtf16Or32(body, first))
        {
            return ProxyErrors.UnsupportedCharset;
        }

        if (model is not null && CheckModel(model) is { } refused)
        {
            return refused;
        }

        var fields = Begin(names, model);
        if (fields.TryWalk(body, first, out var error))
        {
            return error ?? (Result<RequestFields>)fields;
        }

        return ReadByReader(body, Begin(names, model));
    }

    // Apart: room for a reader is cleared at each call of a method that has one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Result<RequestFields> ReadByReader(in ReadOnlySequence<byte> body, RequestFields fields)
    {
        var reader = new Utf8JsonReader(body, _options);
        try
        {
            return fields.Read(ref reader) ?? (Result<RequestFields>)fields;
        }
        catch (JsonException)
        {
            return ProxyErrors.InvalidJson(reader.BytesConsumed);
        }
    }

    private static RequestFields Begin(FieldNames names, string? model) => new()
    {
        Names = names,
        Model = model ?? "",
        _hasModel = model is not null,
        _identity = names.TellIdentity ? new StrongBox<RequestIdentity>() : null,
    };

    private ProxyError? Read(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            reader.Read();
            return ProxyErrors.InvalidBody;
        }

        Opening = reader.BytesConsumed;
        long previousEnd = 0;
        var isBehindField = false;
        ProxyError? error = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            MemberCount++;
            var start = reader.TokenStartIndex;
            if (isBehindField)
            {
                Last.NextStart = start;
            }

            var isEscaped = reader.ValueIsEscaped;
            var name = Identify(ref reader, out var isExact);
            reader.Read();
            isBehindField = Names.IsActedOn(name);
            if (isBehindField)
            {
                Add(new RequestField(name, isExact, isEscaped, reader.TokenType, start, reader.TokenStartIndex, previousEnd));
                error ??= isExact ? Take(name, ref reader) : null;
            }

            if (name >= 0 && isExact)
            {
                _identity?.Value.Take(Names.RoleOf(name), ref reader);
            }

            reader.Skip();
            previousEnd = reader.BytesConsumed;
            if (isBehindField)
            {
                Last.ValueEnd = previousEnd;
            }
        }

        // What follows the object is refused here: one document, nothing behind it.
        reader.Read();
        return CheckAll() ?? error;
    }

    private int Identify(ref Utf8JsonReader reader, out bool isExact)
    {
        if (!reader.ValueIsEscaped && !reader.HasValueSequence && Ascii.IsValid(reader.ValueSpan))
        {
            return Names.Find(reader.ValueSpan, out isExact);
        }

        // Longer than any name that is acted on: not worth unescaping.
        var length = reader.HasValueSequence ? reader.ValueSequence.Length : reader.ValueSpan.Length;
        if (length > 1024)
        {
            isExact = false;
            return -1;
        }

        try
        {
            return Names.Find(reader.GetString()!, out isExact);
        }
        catch (InvalidOperationException)
        {
            // Not text at all (a lone surrogate, broken UTF-8): nobody's parameter, and it passes as it is.
            isExact = false;
            return -1;
        }
    }

    private ProxyError? Take(int name, ref Utf8JsonReader reader)
    {
        switch (name)
        {
            case FieldNames.Model:
                return TakeModel(ref reader);
            case FieldNames.Stream:
                Stream = reader.TokenType == JsonTokenType.True;
                return reader.TokenType is JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null
                    ? null
                    : ProxyErrors.InvalidType("stream", "true, false or null");
            case FieldNames.StreamOptions:
                TakeStreamOptions(reader);
                return reader.TokenType is JsonTokenType.StartObject or JsonTokenType.Null
                    ? null
                    : ProxyErrors.InvalidType("stream_options", "an object or null");
            case FieldNames.Choices:
                Choices = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var n) ? Math.Clamp(n, 1, MostChoices) : 1;
                return null;
            case FieldNames.PreviousResponse:
                PreviousResponse = StoredIds.Read(reader);
                return null;
            case FieldNames.Conversation:
                Conversation = StoredIds.Read(JsonMembers.Find(reader, "id"u8, out var id) ? id : reader);
                return null;
            default:
                return null;
        }
    }

    private void TakeStreamOptions(Utf8JsonReader reader)
    {
        var start = reader.TokenStartIndex;
        if (JsonMembers.Find(reader, "include_usage"u8, out var value))
        {
            IncludesUsage = value.TokenType == JsonTokenType.True;
            var at = (int)(value.TokenStartIndex - start);
            value.Skip();
            UsageFlag = new SseRange(at, (int)(value.BytesConsumed - start) - at);
        }

        HasNoStreamOptions = reader.TokenType == JsonTokenType.StartObject && reader.Read() && reader.TokenType == JsonTokenType.EndObject;
    }

    private ProxyError? TakeModel(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return _hasModel ? null : ProxyErrors.ModelRequired;
        }

        if (reader.TokenType != JsonTokenType.String)
        {
            return ProxyErrors.InvalidModel("must be a string");
        }

        if (_hasModel)
        {
            return null;
        }

        try
        {
            Model = reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return ProxyErrors.InvalidModel("is not valid text");
        }

        return CheckModel(Model);
    }

    private static ProxyError? CheckModel(string model) =>
        model.Length == 0 ? ProxyErrors.InvalidModel("is empty")
        : model.Length > LongestModel ? ProxyErrors.InvalidModel($"is longer than {LongestModel} characters")
        : model.AsSpan().ContainsAnyInRange('\0', '\u001F') || model.Contains('\u007F') ? ProxyErrors.InvalidModel("holds control characters")
        : null;

    private static bool IsUtf16Or32(in ReadOnlySequence<byte> body, ReadOnlySpan<byte> start)
    {
        // Who sends its first byte alone has it joined here; all others are looked at where they stand.
        if (start.Length < 2 && body.Length >= 2)
        {
            start = body.Slice(0, 2).ToArray();
        }

        return start.Length >= 2 && (start is [0xFE, 0xFF, ..] or [0xFF, 0xFE, ..] || start[0] == 0 || start[1] == 0);
    }
}
