using System.Runtime.CompilerServices;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>One request on its way to a target: its clock, and what is known of the connection that carries it.</summary>
internal sealed class Attempt : IDisposable
{
    private static readonly HttpRequestOptionsKey<Attempt> _key = new("LlmProxy.Attempt");

    // As many numbers as a thread takes at a time, so that threads do not count in one place.
    private const long NumbersAtOnce = 1 << 20;

    private static long _taken;

    [ThreadStatic]
    private static Attempt? _current;

    [ThreadStatic]
    private static long _next;

    private readonly ExchangeClock _clock;
    private readonly CancellationTokenSource? _own;
    private readonly Racer? _racer;
    private CutOff _phase;
    private long _phaseEnd = ExchangeClock.Never;
    private int _reason;
    private UpstreamConnection? _connection;
    private bool _wasUsedBefore;
    private bool _wasTaken;
    private bool _isPlain;
    private bool _sendsOnce;
    private StrongBox<Usage>? _usage;

    /// <param name="clock">The exchange's.</param>
    /// <param name="mayFollow">Another may be made after this one, or beside it: then its clock ends this attempt alone. Else it ends the exchange.</param>
    /// <param name="racer">What it runs against; null if it runs alone.</param>
    public Attempt(ExchangeClock clock, bool mayFollow, Racer? racer = null)
    {
        _clock = clock;
        _racer = racer;
        if (mayFollow || racer is not null)
        {
            _own = CancellationTokenSource.CreateLinkedTokenSource(clock.Token);
            clock.Watch(this);
        }
    }

    /// <summary>Tells it from every other of this process.</summary>
    public long Number { get; } = NextNumber();

    /// <summary>Something of it has to be ended with its answer.</summary>
    public bool HasOwnClock => _own is not null;

    /// <summary>
    /// Cancelled when this attempt is to end. The HTTP client's own HTTP/1.1 has no use for it once an answer has been read to its end, and
    /// its request is not being written any more; for HTTP/2 and an app's handlers nobody knows.
    /// </summary>
    public CancellationToken Token => _own?.Token ?? (_isPlain ? _clock.OwnToken : _clock.Token);

    /// <summary>Why it was ended; the exchange's reason goes before its own, but for a race that was lost before.</summary>
    public CutOff Reason
    {
        get
        {
            var own = (CutOff)Volatile.Read(ref _reason);
            return own == CutOff.Superseded || _clock.Reason == CutOff.None ? own : _clock.Reason;
        }
    }

    /// <summary>What the upstream had said of its usage when it failed or was ended: somebody pays for that. Of an attempt with an answer the answer tells.</summary>
    public Usage Usage
    {
        get => _usage?.Value ?? Usage.None;
        set => _usage = value == Usage.None ? null : new StrongBox<Usage>(value);
    }

    /// <summary>It has an answer. False: another had one before, and this one is nobody's.</summary>
    public bool TryCommit() => _racer?.TryWin() ?? true;

    /// <summary>
    /// The attempt whose first bytes are being sent by this thread right now. A kept connection takes them before the HTTP client
    /// gives the thread back; where it had to wait for a connection there is none, and nothing is repeated.
    /// </summary>
    public static Attempt? Current => _current;

    /// <summary>No handler of an app's stands between it and its connection: what comes back is the HTTP client's own.</summary>
    public bool IsDirect { get; private set; }

    /// <summary>A connection was opened for this attempt: what failed then failed on top of it.</summary>
    public bool HasConnected { get; private set; }

    /// <summary>
    /// The connection had carried a request before, and it ended without a byte of an answer: most likely the upstream closed
    /// it, unused, in the moment in which we sent. On a new connection it would not have happened.
    /// </summary>
    public bool WasLost => _wasUsedBefore && _connection is { IsAnswered: false };

    /// <summary>The connection that took it was there when it came: none was waited for, nor is one being opened for it.</summary>
    public bool TookIdle { get; private set; }

    /// <summary>A connection has taken something of it.</summary>
    public bool WasSent => _connection is not null || Volatile.Read(ref _wasTaken);

    /// <summary>The attempt that a request was made for.</summary>
    public static Attempt? Of(HttpRequestMessage message) =>
        message is AttemptMessage { Attempt: { } known } ? known : message.Options.TryGetValue(_key, out var attempt) ? attempt : null;

    /// <summary>Sends a request as this attempt.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpMessageInvoker client, AttemptMessage message)
    {
        message.Attempt = this;
        if (message.Content is RequestContent content)
        {
            content.Attempt = this;
        }

        // The options are a dictionary, which costs more than all else of the message: only where somebody may send a copy.
        IsDirect = client is UpstreamInvoker { IsPlain: true };
        _isPlain = IsDirect && message.Version.Major == 1;
        _sendsOnce = client is UpstreamInvoker { SendsOnce: true };
        if (!IsDirect)
        {
            message.Options.Set(_key, this);
        }

        var outer = _current;
        _current = this;
        try
        {
            return client.SendAsync(message, Token);
        }
        finally
        {
            _current = outer;
        }
    }

    /// <summary>Its answer has been read to its end: what it was sent as serves the next, if nobody can hold it any more.</summary>
    /// <remarks>
    /// Nobody: an idle connection took it, so that none is being opened for it; the HTTP client's own HTTP/1.1 has sent all of it before it reads an
    /// answer, and lets go of it with the answer's end; it was sent once (<see cref="UpstreamInvoker.SendsOnce"/>), no handler of an app's was between, and
    /// nobody runs against it.
    /// </remarks>
    public void EndMessage(HttpResponseMessage response)
    {
        if (_isPlain && _sendsOnce && _own is null && TookIdle && _connection is { IsAnswered: true } && response.RequestMessage is AttemptMessage message)
        {
            response.RequestMessage = null;
            message.GiveBack();
        }
    }

    /// <summary>Ends it when <paramref name="after"/> has passed. Zero: never.</summary>
    public void Begin(CutOff phase, TimeSpan after)
    {
        if (_own is null)
        {
            _clock.Begin(phase, after);
            return;
        }

        _phase = phase;
        Volatile.Write(ref _phaseEnd, _clock.EndOf(after));
    }

    /// <summary>The time of this attempt is what is left of that of another, whose kept connection was lost.</summary>
    public void GoOnFrom(Attempt lost)
    {
        // Without a clock of its own the exchange's goes on by itself.
        _phase = lost._phase;
        _phaseEnd = lost._phaseEnd;
        IsTimed = true;
    }

    /// <summary>It has its time from another.</summary>
    public bool IsTimed { get; private set; }

    /// <summary>It has committed or ended: its time no longer counts.</summary>
    public void EndPhase()
    {
        if (_own is null)
        {
            _clock.EndPhase();
            return;
        }

        Volatile.Write(ref _phaseEnd, ExchangeClock.Never);
        _clock.Unwatch(this);
    }

    /// <summary>It has committed to output: nobody waits for that any more.</summary>
    public void EndWait()
    {
        EndPhase();
        _clock.EndPatience();
    }

    /// <summary>It has committed without output: the time for its first event runs on, and now ends the exchange.</summary>
    public void HandOverPhase()
    {
        if (_own is not null)
        {
            _clock.BeginUntil(_phase, Volatile.Read(ref _phaseEnd));
            EndPhase();
        }
    }

    /// <summary>Ends it, and nothing else.</summary>
    public void Cut(CutOff reason)
    {
        if (_own is not null && Interlocked.CompareExchange(ref _reason, (int)reason, 0) == 0)
        {
            try
            {
                _own.Cancel();
            }
            catch (Exception e) when (e is ObjectDisposedException or AggregateException)
            {
                // It ended in this very moment, or an app's handler failed when it was cut off: an exception here would end the process.
            }
        }
    }

    public void Dispose()
    {
        if (_own is not null)
        {
            _clock.Unwatch(this);
            _own.Dispose();
        }
    }

    private static long NextNumber()
    {
        if (_next % NumbersAtOnce == 0)
        {
            _next = Interlocked.Add(ref _taken, NumbersAtOnce);
        }

        return _next++;
    }

    internal bool IsDue(long now) => now >= Volatile.Read(ref _phaseEnd);

    internal void Fire(long now)
    {
        if (IsDue(now))
        {
            Cut(_phase);
        }
    }

    public void NoteConnected() => HasConnected = true;

    public void NoteTaken() => Volatile.Write(ref _wasTaken, true);

    /// <param name="connection">Takes it.</param>
    /// <param name="wasUsedBefore">It has carried another request.</param>
    /// <param name="wasIdle">It was there when this one came, and was not waited for.</param>
    public void NoteSent(UpstreamConnection connection, bool wasUsedBefore, bool wasIdle)
    {
        _connection = connection;
        _wasUsedBefore = wasUsedBefore;
        TookIdle = wasIdle;
    }
}
