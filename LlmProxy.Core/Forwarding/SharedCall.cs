using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One call for several exchanges. It has a clock of its own and belongs to none of them: whoever leaves leaves the others theirs,
/// and the upstream is let go when the last has gone.
/// </summary>
internal sealed class SharedCall : IDisposable
{
    // What a whole answer's upstream may still say before its connection is given up; the same as without sharing.
    private static readonly TimeSpan _drain = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly List<SharedPart> _parts = [];
    private readonly TaskCompletionSource<Result<SharedAnswer>> _committed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ForwardRequest _request;
    private readonly ExchangeClock _clock;
    private Action? _closed;
    private SharedPart? _payer;
    private SharedAnswer? _answer;
    private bool _isClosed;

    /// <param name="request">A copy, which it owns.</param>
    /// <param name="wheel">Drives its clock.</param>
    /// <param name="total">How long all of it may take.</param>
    public SharedCall(ForwardRequest request, ClockWheel wheel, TimeSpan total)
    {
        _request = request;
        _clock = new ExchangeClock(wheel, CancellationToken.None);
        _clock.LimitTotal(total);
    }

    /// <summary>What the call came to, once somebody has committed or nobody will.</summary>
    public Task<Result<SharedAnswer>> Committed => _committed.Task;

    /// <summary>Exchanges that are there.</summary>
    public int Parts
    {
        get
        {
            lock (_lock)
            {
                return _parts.Count;
            }
        }
    }

    public void OnClosed(Action closed) => _closed = closed;

    /// <summary>One more; null if it is too late.</summary>
    /// <param name="id">Of the exchange.</param>
    /// <param name="request">What it asks for: the same.</param>
    public SharedPart? TryJoin(string id, ForwardRequest request)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return null;
            }

            var part = new SharedPart(this, id, request) { Rest = _answer?.Open() };
            _parts.Add(part);
            _payer ??= part;
            if (_request.Held is { } held)
            {
                request.Held?.PassTo(held);
            }

            return part;
        }
    }

    /// <summary>Sends it, for the first who is there.</summary>
    public void Begin(Forwarder forwarder, LimitOptions limits, Action<AttemptNote> note) =>
        _ = RunAsync(forwarder, limits, note);

    /// <summary>It has ended, or is not going to be sent at all.</summary>
    public void Dispose()
    {
        Close();
        _request.Body.End();
        _clock.Dispose();
    }

    /// <summary>
    /// Exactly one exchange answers for what the call costs: the first, or whoever is there longest once that has left before the
    /// end.
    /// </summary>
    /// <returns>The id of the exchange that answers for it in this one's place; null if it is this one.</returns>
    public string? Settle(SharedPart part)
    {
        lock (_lock)
        {
            if (_payer == part && !part.IsWhole && !IsOver && _parts.Find(other => other != part && !other.IsSettled) is { } next)
            {
                _payer = next;
            }

            return _payer == part ? null : _payer!.Id;
        }
    }

    /// <summary>The call itself has failed or ended: whoever ends now has not left it early.</summary>
    private bool IsOver => _answer is { } answer ? answer.IsOver : _committed.Task.IsCompleted;

    public void Leave(SharedPart part)
    {
        bool isLast;
        bool isClosing;
        lock (_lock)
        {
            // Whoever came between here and the end would share a call that is being given up.
            _parts.Remove(part);
            isLast = _parts.Count == 0;
            isClosing = isLast && !_isClosed;
            _isClosed |= isLast;
        }

        if (isClosing)
        {
            _closed?.Invoke();
        }

        part.Rest?.Dispose();
        if (!isLast)
        {
            return;
        }

        if (part.IsWhole)
        {
            _clock.LimitTotal(_drain);
        }
        else
        {
            _clock.Cut(CutOff.ClientGone);
        }
    }

    private async Task RunAsync(Forwarder forwarder, LimitOptions limits, Action<AttemptNote> note)
    {
        try
        {
            var result = await forwarder.SendAsync(_request, limits, _clock, note);
            if (!result.TryGet(out var answer, out var error))
            {
                Close();
                _committed.TrySetResult(error);
                return;
            }

            using (answer)
            {
                // Whether output comes in time is watched by each exchange's own clock.
                _clock.EndPhase();
                var shared = new SharedAnswer(answer);
                Commit(shared);
                if (answer.Kind == AnswerKind.Json)
                {
                    Close();
                }

                _committed.TrySetResult(shared);
                await shared.FillAsync(_clock, Close);
            }
        }
        catch (Exception e)
        {
            Close();
            if (_committed.TrySetException(e))
            {
                // Nobody may be left to see it.
                _ = _committed.Task.Exception;
            }
        }
        finally
        {
            await _request.Body.EndAsync();
            Dispose();
        }
    }

    /// <summary>Whoever is there by now reads from the beginning.</summary>
    private void Commit(SharedAnswer answer)
    {
        lock (_lock)
        {
            _answer = answer;
            foreach (var part in _parts)
            {
                part.Rest = answer.Open();
            }
        }
    }

    private void Close()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        _closed?.Invoke();
    }
}

/// <summary>An exchange's part in a shared call.</summary>
/// <param name="call">The call.</param>
/// <param name="id">Of the exchange.</param>
/// <param name="request">What it asks for.</param>
internal sealed class SharedPart(SharedCall call, string id, ForwardRequest request) : IDisposable
{
    private string? _paidBy;

    public string Id => id;

    /// <summary>Its reader of the answer, from the commit on.</summary>
    public SharedStream? Rest { get; set; }

    /// <summary>It has ended, and it is known who pays.</summary>
    public bool IsSettled { get; private set; }

    /// <summary>It has ended with all of the answer.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>Waits for the answer. The request's body is given back here.</summary>
    /// <param name="clock">The exchange's.</param>
    public async ValueTask<Result<UpstreamAnswer>> AnswerAsync(ExchangeClock clock)
    {
        request.Body.End();

        // How long its client waits is its own: the call goes on for those who wait longer.
        clock.LimitPatience(ClientTimeout.Of(request.Headers));
        try
        {
            if (!(await call.Committed.WaitAsync(clock.Token)).TryGet(out var shared, out var error))
            {
                return error;
            }

            if (shared.HasOutput)
            {
                clock.EndPatience();
            }
            else
            {
                clock.Begin(CutOff.FirstEvent, shared.Target.Timeouts.FirstEvent);
            }

            return shared.For(Rest!);
        }
        catch (OperationCanceledException) when (clock.Reason != CutOff.None)
        {
            return Faults.OfCutOff(clock.Reason) ?? ProxyErrors.ClientGone;
        }
    }

    /// <summary>It ends. What is said first counts.</summary>
    /// <param name="isWhole">With all of the answer.</param>
    /// <returns>See <see cref="SharedCall.Settle"/>.</returns>
    public string? Settle(bool isWhole)
    {
        if (!IsSettled)
        {
            IsWhole = isWhole;
            _paidBy = call.Settle(this);
            IsSettled = true;
        }

        return _paidBy;
    }

    /// <summary>It leaves. If something of ours has failed before it could be settled, others answer for the call.</summary>
    public void Dispose()
    {
        Settle(isWhole: false);
        call.Leave(this);
    }
}
