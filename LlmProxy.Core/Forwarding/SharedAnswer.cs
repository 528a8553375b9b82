using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>The answer that several read is not to be had any more.</summary>
internal sealed class SharedAnswerException(ProxyError error) : IOException
{
    public ProxyError Error => error;
}

/// <summary>
/// An answer that comes once and is read by several, each at its own pace and from the beginning.
/// </summary>
/// <remarks>
/// The fastest reader sets the pace: the upstream is read no further ahead of it than a buffer's length, so a lone slow reader slows
/// the upstream as it would without sharing, and one beside faster ones slows nobody. All is kept from the start until the answer
/// passes <see cref="MostKept"/>; from then on nobody joins, and what all have read is let go. Who falls behind the end by more
/// than that loses the rest, and its answer is broken.
/// </remarks>
internal sealed class SharedAnswer
{
    /// <summary>Bytes that are kept for the slowest reader.</summary>
    public const long MostKept = 8 << 20;

    private const long MostAhead = 256 * 1024;

    // After a whole answer: what is still read of it before its connection is given up.
    private const int MostDrained = 64 * 1024;

    private readonly UpstreamAnswer _answer;
    private readonly byte[] _json = [];
    private readonly Lock _lock = new();
    private readonly List<SharedStream> _readers = [];
    private SharedSegment? _first = new();
    private SharedSegment _last;
    private TaskCompletionSource? _room;

    /// <param name="answer">Committed; whoever made this disposes it.</param>
    public SharedAnswer(UpstreamAnswer answer)
    {
        _answer = answer;
        answer.NoteShared();
        _last = _first;
        if (answer.Kind == AnswerKind.Json)
        {
            _json = answer.Read.ToArray();
        }
        else
        {
            Append(answer.Read);
        }

        answer.ReleaseRead();
    }

    public Target Target => _answer.Target;

    /// <summary>See <see cref="UpstreamAnswer.HasOutput"/>.</summary>
    public bool HasOutput => _answer.HasOutput;

    /// <summary>Bytes that have come.</summary>
    public long End { get; private set; }

    /// <summary>No more will come.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Why not, if it is not the upstream's own end.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Held by whoever looks at what has come.</summary>
    public Lock Sync => _lock;

    /// <summary>The answer as one of its readers gets it.</summary>
    public UpstreamAnswer For(SharedStream rest) => _answer.Share(_json, rest);

    /// <summary>A reader from the beginning on. To be called before anybody can have closed the call.</summary>
    public SharedStream Open()
    {
        lock (_lock)
        {
            var reader = new SharedStream(this, _first!);
            _readers.Add(reader);
            return reader;
        }
    }

    public void Remove(SharedStream reader)
    {
        lock (_lock)
        {
            _readers.Remove(reader);
            GiveRoom();
        }
    }

    /// <summary>Reads the upstream to its end.</summary>
    /// <param name="clock">The call's.</param>
    /// <param name="close">Called when nobody may join any more.</param>
    public async ValueTask FillAsync(ExchangeClock clock, Action close)
    {
        Exception? fault = null;
        try
        {
            var drained = 0;
            while (drained <= MostDrained)
            {
                await WaitForRoomAsync(clock.Token);
                var memory = _last.Bytes.AsMemory(_last.Length);
                var count = await _answer.Rest.ReadAsync(memory, clock.Token);
                if (count == 0)
                {
                    break;
                }

                if (_first is not null && End + count > MostKept)
                {
                    close();
                    _first = null;
                }

                drained = Take(count) ? 0 : drained + count;
            }
        }
        catch (Exception e)
        {
            fault = clock.Reason == CutOff.None ? e : new SharedAnswerException(Faults.OfCutOff(clock.Reason) ?? ProxyErrors.ClientGone);
        }

        // Before the readers learn of it: an answer that has ended is nobody's to join.
        close();
        lock (_lock)
        {
            Fault = fault;
            IsOver = true;
            _readers.ForEach(static reader => reader.Wake());
        }
    }

    /// <summary>Somebody has read on.</summary>
    public void GiveRoom()
    {
        if (_room is not null && HasRoom())
        {
            _room.TrySetResult();
            _room = null;
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var count = Math.Min(bytes.Length, _last.Bytes.Length - _last.Length);
            bytes[..count].CopyTo(_last.Bytes.AsSpan(_last.Length));
            Take(count);
            bytes = bytes[count..];
        }
    }

    /// <summary>What was written behind the last segment's length has come.</summary>
    /// <returns>False if nobody reads it.</returns>
    private bool Take(int count)
    {
        lock (_lock)
        {
            _last.Length += count;
            End += count;
            if (_last.Length == _last.Bytes.Length)
            {
                _last = _last.Next = new SharedSegment();
            }

            foreach (var reader in _readers)
            {
                reader.Follow();
            }

            return _readers.Count > 0;
        }
    }

    private Task WaitForRoomAsync(CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (HasRoom())
            {
                return Task.CompletedTask;
            }

            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task.WaitAsync(cancellation);
        }
    }

    private bool HasRoom()
    {
        var fastest = _readers.Count == 0 ? End : 0;
        foreach (var reader in _readers)
        {
            fastest = Math.Max(fastest, reader.Position);
        }

        return End - fastest < MostAhead;
    }
}

/// <summary>A piece of what has come. Bytes up to its length never change; readers hold on to the piece that they are at.</summary>
internal sealed class SharedSegment
{
    public byte[] Bytes { get; } = new byte[16 * 1024];

    public int Length { get; set; }

    public SharedSegment? Next { get; set; }
}
