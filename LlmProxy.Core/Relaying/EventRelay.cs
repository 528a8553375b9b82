using System.Runtime.CompilerServices;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>
/// Passes a stream's events on, each the moment it is whole. It alone touches the response; heartbeats, timeouts and
/// shutdown wake it, they never write.
/// </summary>
/// <remarks>
/// The common way of an event: wait with an empty read (no memory is held), read into the response's own buffer, scan in
/// place, commit, flush once. Bytes behind the last whole event are copied out first; while there are any, reads go to a
/// buffer of our own. Whatever is not passed byte for byte is rare and takes that second way, too.
/// </remarks>
internal sealed partial class EventRelay(ClientStream client, ExchangeClock clock, QuietWait wait, TimeProvider time, EventRelayPlan plan)
{
    // A burst is flushed in pieces of this size: one flush costs a system call, and memory must stay bounded.
    private const int MostUnflushed = 16 * 1024;

    private readonly StreamInspector _inspector = plan.Inspector;
    private SseScanner _scanner;
    private PendingBytes _pending;
    private Stop _stop;
    private SseEvent _stoppedAt;
    private bool _sawData;
    private long _events;
    private long _lastEvent;
    private UpstreamAnswer? _answer;
    private Exception? _fault;

    private enum Stop
    {
        /// <summary>Everything whole was passed.</summary>
        NeedMore,

        /// <summary>The next event goes out changed.</summary>
        Change,
        Done,
        Failure,
    }

    /// <summary>Relays a committed answer to its end. The client has been sent a status.</summary>
    /// <exception cref="BrokenStreamException">See <see cref="ClientStream.BreakAsync"/>.</exception>
    public async ValueTask<RelayOutcome> RunAsync(UpstreamAnswer answer)
    {
        ProxyError? error;
        try
        {
            _answer = answer;
            _pending.Append(answer.Read);
            answer.ReleaseRead();
            answer.ForgetHead();
            error = await PassPendingAsync() ?? await PassAllAsync(answer);
        }
        catch (Exception e)
        {
            error = clock.Reason != CutOff.None ? ErrorOf(clock.Reason) : _fault is null ? Faults.InAnswer(e) : ProxyErrors.Internal;
        }

        return await EndAsync(error);
    }

    private static ProxyError ErrorOf(CutOff reason) => StalledReader.ErrorOf(reason) ?? Faults.OfCutOff(reason)!;

    /// <returns>Null at a whole end, else why it broke.</returns>
    private async ValueTask<ProxyError?> PassAllAsync(UpstreamAnswer answer)
    {
        while (_stop != Stop.Done)
        {
            ValueTaskAwaiter<int> awaiter;
            do
            {
                awaiter = answer.Wait.BeginAsync(clock.Token).GetAwaiter();
                if (client.Unflushed > (awaiter.IsCompleted ? MostUnflushed : 0))
                {
                    await client.FlushAsync();
                }

                if (!awaiter.IsCompleted)
                {
                    wait.Begin();
                    awaiter.UnsafeOnCompleted(wait.OnCompleted);
                    while (!wait.HasCompleted)
                    {
                        await wait.SleepAsync();
                        if (clock.IsQuiet && !wait.HasCompleted)
                        {
                            await BeatAsync();
                        }
                    }
                }
            }
            while (!answer.Wait.End(awaiter));

            var isInPlace = _pending.Length == 0 && plan.Filter is null;
            var memory = isInPlace ? client.GetMemory() : _pending.GetMemory();
            var count = await answer.Rest.ReadAsync(memory, clock.Token);
            answer.Wait.NoteRead(count, memory.Length);
            if (count == 0)
            {
                return ProxyErrors.Truncated;
            }

            _sawData = false;
            if (isInPlace)
            {
                PassInPlace(memory.Span[..count]);
            }
            else
            {
                _pending.Advance(count);
            }

            if (_pending.Length > 0 && await PassPendingAsync() is { } error)
            {
                return error;
            }

            NoteActivity();
        }

        return null;
    }

    private async ValueTask BeatAsync()
    {
        client.Write(_inspector.Heartbeat);
        await client.FlushAsync();
        clock.TouchQuiet();
    }

    // An upstream's comments are seen by the client, but they are no sign that the answer goes on.
    private void NoteActivity()
    {
        if (_sawData || (_pending.Length > 0 && _pending.Span[0] != (byte)':'))
        {
            clock.Touch();
        }
        else
        {
            clock.TouchQuiet();
        }
    }

    private void PassInPlace(ReadOnlySpan<byte> bytes)
    {
        _stop = Scan(bytes, out var passed);

        // Before the commit: the chunk's own end is written over what stands behind it.
        if (passed < bytes.Length)
        {
            _pending.Append(bytes[passed..]);
        }

        client.Commit(passed);
    }

    /// <summary>Passes what is whole in the pending bytes; an event that <see cref="Scan"/> stopped at stands first in them.</summary>
    private ValueTask<ProxyError?> PassPendingAsync()
    {
        PassWhole();
        return _stop == Stop.NeedMore ? new ValueTask<ProxyError?>(CheckPending()) : PassStoppedAsync();
    }

    private void PassWhole()
    {
        if (_stop == Stop.NeedMore)
        {
            _stop = Scan(_pending.Span, out var passed);
            client.Write(_pending.Span[..passed]);
            _pending.Drop(passed);
        }
    }

    private ProxyError? CheckPending() => _pending.Length > plan.LargestEvent ? ProxyErrors.EventTooLarge : null;

    private async ValueTask<ProxyError?> PassStoppedAsync()
    {
        while (_stop != Stop.NeedMore)
        {
            switch (_stop)
            {
                case Stop.Failure:
                    return _inspector.Failure;
                case Stop.Done when _inspector.IsWholeAtDone:
                    await PassEndAsync(_stoppedAt);
                    return null;
                case Stop.Done:
                    return ProxyErrors.Truncated;
                default:
                    await PassChangedAsync(_stoppedAt);
                    _pending.Drop(_stoppedAt.Length);
                    _stop = Stop.NeedMore;
                    PassWhole();
                    break;
            }
        }

        return CheckPending();
    }

    private async ValueTask PassChangedAsync(SseEvent found, bool isEnd = false)
    {
        if (_inspector.IsOurs)
        {
            return;
        }

        if (plan.Filter is not null)
        {
            try
            {
                await plan.Filter.ApplyAsync(_pending.Span[..found.Length].ToArray(), found, _inspector, client, isEnd, clock.Token);
            }
            catch (Exception e)
            {
                // The event has been counted and did not go out: whatever comes now, this stream is not whole.
                _fault = e;
                throw;
            }
        }
        else
        {
            EventChange.Write(_pending.Span[..found.Length], found, _inspector, client);
        }
    }

    /// <summary>Looks at events from the first byte on.</summary>
    /// <param name="bytes">Begins with an event.</param>
    /// <param name="passed">How many bytes go out as they are.</param>
    private Stop Scan(ReadOnlySpan<byte> bytes, out int passed)
    {
        passed = 0;
        var outputs = 0;
        var stop = Stop.NeedMore;
        while (true)
        {
            if (plan.Filter is null && _scanner.IsBetweenEvents && _inspector.InspectLike(bytes[passed..]) is > 0 and var length)
            {
                outputs++;
                _sawData = true;
                passed += length;
                continue;
            }

            if (!_scanner.TryRead(bytes[passed..], out var found))
            {
                break;
            }

            var kind = _inspector.Inspect(bytes.Slice(passed, found.Length), found);
            outputs += kind == StreamEventKind.Output && !_inspector.IsOurs ? 1 : 0;
            _sawData |= found.HasData;
            if (kind >= StreamEventKind.Done || MustChange(found))
            {
                _stoppedAt = found;
                stop = kind switch { StreamEventKind.Done => Stop.Done, StreamEventKind.Failure => Stop.Failure, _ => Stop.Change };
                break;
            }

            passed += found.Length;
        }

        if (outputs > 0)
        {
            if (_events == 0)
            {
                BeginIdle();
            }

            _events += outputs;
            _lastEvent = time.GetTimestamp();
        }

        return stop;
    }

    // Until now the client was kept awake while the upstream took its time for the first event.
    private void BeginIdle()
    {
        clock.EndPhase();
        clock.EndPatience();
        clock.WatchIdle(plan.Idle);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool MustChange(in SseEvent found) => found.MustBeCut || _inspector.Replacements > 0 || _inspector.IsOurs || plan.Filter is not null;
}
