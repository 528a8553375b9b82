using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// One call for several exchanges. It has a clock of its own and belongs to none of them: whoever leaves leaves the others theirs,
/// and the upstream is let go when the last has gone.
/// </summary>
internal sealed class SharedCall : IAttemptBooks, IDisposable
{
    // What a whole answer's upstream may still say before its connection is given up; the same as without sharing.
    private static readonly TimeSpan _drain = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly List<SharedPart> _parts = [];
    private readonly List<Attempt> _attempts = [];
    private readonly TaskCompletionSource<Result<SharedAnswer>> _committed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ForwardRequest _request;
    private readonly ExchangeClock _clock;
    private Action? _closed;
    private IAttemptBooks? _books;
    private SharedPart? _payer;
    private SharedAnswer? _answer;
    private Target? _target;
    private SharedRelay _most;
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

    /// <summary>An upstream has been sent it, though nothing may have come of that and nobody have been told yet.</summary>
    public bool WasSent
    {
        get
        {
            lock (_lock)
            {
                return _attempts.Exists(static attempt => attempt.WasSent);
            }
        }
    }

    /// <summary>Who was asked last; null before anybody was.</summary>
    public Target? Target
    {
        get
        {
            lock (_lock)
            {
                return _target;
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
    public void Begin(Forwarder forwarder, LimitOptions limits, IAttemptBooks books)
    {
        _books = books;
        _ = RunAsync(forwarder, limits);
    }

    /// <inheritdoc/>
    public void Note(in AttemptNote happened)
    {
        Watch(happened);
        _books!.Note(happened);
    }

    /// <summary>It has ended, or is not going to be sent at all.</summary>
    public void Dispose()
    {
        Close();
        _request.Body.End();
        _clock.Dispose();
    }

    /// <summary>
    /// Exactly one exchange answers for what the call costs: the first that had all of its answer, for that one knows what it used; as
    /// long as there is none, the first that came, or whoever is there longest once that has left. In one step: of two that end at once
    /// each would else take the other for who pays.
    /// </summary>
    /// <param name="part">Ends.</param>
    /// <param name="isWhole">With all of the answer.</param>
    /// <param name="relayed">What of it its client was sent.</param>
    public SharedEnd Settle(SharedPart part, bool isWhole, in SharedRelay relayed)
    {
        lock (_lock)
        {
            if (part.End is { } settled)
            {
                return settled;
            }

            _most = _most.Or(relayed);
            if (isWhole || HasAllThatCame(part))
            {
                _payer = _payer is { End: null } ? part : _payer;
            }
            else if (_payer == part && !HasFailed && _parts.Find(other => other != part && other.End is null) is { } next)
            {
                _payer = next;
            }

            var end = new SharedEnd(isWhole, _payer == part ? null : _payer!.Id, isWhole ? relayed : _most);
            part.End = end;
            return end;
        }
    }

    // It broke, and this one was there until then: there is nobody who has more of it.
    private bool HasAllThatCame(SharedPart part) => _answer is { IsOver: true, Fault: not null } answer && part.Rest?.Position == answer.End;

    /// <summary>Nobody has committed, and nobody will: whoever ends now has not left it early.</summary>
    private bool HasFailed => _answer is null && _committed.Task.IsCompleted;

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

        if (part.End is { IsWhole: true })
        {
            _clock.LimitTotal(_drain);
        }
        else
        {
            _clock.Cut(CutOff.ClientGone);
        }
    }

    /// <summary>The attempts themselves know what of them has left us: an end is told of later, when whoever waited may have gone.</summary>
    private void Watch(in AttemptNote happened)
    {
        if (happened.Attempt is { } begun)
        {
            lock (_lock)
            {
                _attempts.Add(begun);
                _target = happened.IsHedge ? _target : happened.Target;
            }
        }
    }

    private async Task RunAsync(Forwarder forwarder, LimitOptions limits)
    {
        try
        {
            var result = await forwarder.SendAsync(_request, limits, _clock, this);
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
    internal void Commit(SharedAnswer answer)
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
