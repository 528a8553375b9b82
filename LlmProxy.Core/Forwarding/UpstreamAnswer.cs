using System.Buffers;
using System.Runtime.CompilerServices;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>What an upstream's answer is.</summary>
internal enum AnswerKind
{
    /// <summary>A JSON document, held whole and known to be valid.</summary>
    Json,

    /// <summary>A JSON document too large to be held; its beginning is in hand.</summary>
    LargeJson,

    /// <summary>A stream of events, of which at least one has output but where <see cref="UpstreamAnswer.HasOutput"/> says otherwise.</summary>
    Events,
}

/// <summary>
/// A committed answer: from here on nothing is retried. What was read so far is in <see cref="Read"/>, the rest comes from
/// <see cref="Rest"/>; who relays it does not care where that stream comes from.
/// </summary>
internal sealed class UpstreamAnswer : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly Target? _target;
    private JsonAnswer? _json;
    private readonly StrongBox<Usage>? _known;
    private byte[]? _buffer;
    private Attempt? _attempt;
    private Candidate? _candidate;
    private int _holdsPlace;
    private Stream? _body;
    private StreamWait? _wait;
    private bool _isDirect;
    private bool _isShared;

    public UpstreamAnswer(HttpResponseMessage response, AnswerKind kind, byte[] rented, int length, Stream rest, JsonAnswer? json = null)
    {
        _response = response;
        _buffer = rented;
        Length = length;
        Kind = kind;
        Rest = rest;
        _json = json;
    }

    private UpstreamAnswer(UpstreamAnswer shared, byte[] rented, int length, Stream rest)
        : this(shared._response, shared.Kind, rented, length, rest, shared._json)
    {
        _target = shared.Target;
        HasOutput = shared.HasOutput;
        StoredId = shared.StoredId;
        KnownUsage = shared.KnownUsage;
        KnownRawUsage = shared.KnownRawUsage;
    }

    public AnswerKind Kind { get; }

    /// <summary>Who gave it. Known once it is owned.</summary>
    public Target Target => _target ?? _candidate!.Target;

    /// <summary>The upstream's headers, as they came.</summary>
    public System.Net.Http.Headers.HttpHeadersNonValidated Headers => _response.Headers.NonValidated;

    public int Length { get; }

    public ReadOnlySpan<byte> Read => _buffer.AsSpan(0, Length);

    public ReadOnlyMemory<byte> ReadMemory => _buffer.AsMemory(0, Length);

    public Stream Rest { get; }

    /// <summary>What stands in it, for <see cref="AnswerKind.Json"/>; until it is disposed of.</summary>
    public JsonAnswer Json => _json!;

    /// <summary>False for a stream that was committed to keep its client awake: it has only begun.</summary>
    public bool HasOutput { get; init; } = true;

    /// <summary>The id under which the upstream keeps it; null if it has none that counts.</summary>
    public string? StoredId { get; init; }

    /// <summary>Usage that its events do not tell; hardly ever any.</summary>
    public Usage KnownUsage
    {
        get => _known?.Value ?? Usage.None;
        init => _known = value == Usage.None ? null : new StrongBox<Usage>(value);
    }

    /// <summary>That usage as the upstream wrote it.</summary>
    public ReadOnlyMemory<byte> KnownRawUsage { get; init; }

    /// <summary>Gives back the buffer of what was read, once it has been passed on.</summary>
    public void ReleaseRead()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Takes over the attempt that it came by and the place at the upstream that it holds, until it has ended.</summary>
    public void Own(Attempt attempt, Candidate candidate)
    {
        _attempt = attempt.HasOwnClock ? attempt : null;
        _candidate = candidate;
        _isDirect = attempt.IsDirect;
        _holdsPlace = 1;
    }

    /// <summary>Lets go of what was sent: it is over, and the HTTP client would keep it for as long as the answer lasts.</summary>
    /// <param name="body">It has been given back. What a shared call sent is a copy of its own, and may still be on its way.</param>
    public void ForgetRequest(RequestBody body)
    {
        if (_target is null && _response.RequestMessage is { } request && (request.Content as RequestContent)?.IsOf(body) != false)
        {
            request.Content = null;
            request.Headers.Clear();
            (request as AttemptMessage)?.Attempt = null;
        }
    }

    /// <summary>Lets go of its headers and what holds them: the client has been sent its own, and a stream may last for hours.</summary>
    public void ForgetHead()
    {
        // The task is the content's own, of before the commit.
        if (_target is null && _response.Content.ReadAsStreamAsync() is { IsCompletedSuccessfully: true } opened)
        {
            _body = opened.Result;
            var isChunked = _isDirect && _body == Rest
                && _response.Headers.NonValidated.TryGetValues("Transfer-Encoding", out var encodings) && encodings.ToString() == "chunked"
                && !_response.Content.Headers.NonValidated.Contains("Content-Length");
            _wait = new StreamWait(Rest, isChunked);
            _response.Content = null;
            _response.Headers.Clear();
        }
    }

    /// <summary>How more of <see cref="Rest"/> is waited for.</summary>
    public StreamWait Wait => _wait ??= new StreamWait(Rest, isChunked: false);

    /// <summary>Several will read it, also once it has ended: what is known of it stays.</summary>
    public void NoteShared() => _isShared = true;

    /// <summary>The same answer for one of several who read it. Nothing that it holds of the upstream is theirs to give back.</summary>
    /// <param name="read">What was read so far.</param>
    /// <param name="rest">The rest.</param>
    public UpstreamAnswer Share(ReadOnlySpan<byte> read, Stream rest)
    {
        var rented = ArrayPool<byte>.Shared.Rent(read.Length);
        read.CopyTo(rented);
        return new UpstreamAnswer(this, rented, read.Length, rest);
    }

    public void Dispose()
    {
        ReleaseRead();
        if (_target is not null)
        {
            return;
        }

        _wait?.Leave();
        _body?.Dispose();
        _response.Dispose();
        _attempt?.Dispose();
        if (!_isShared)
        {
            Interlocked.Exchange(ref _json, null)?.GiveBack();
        }

        if (_candidate is not null && Interlocked.Exchange(ref _holdsPlace, 0) == 1)
        {
            _candidate.Load.End();
            _candidate.State.Places.Exit();
        }
    }
}
