using System.Buffers;
using System.IO.Pipelines;

namespace LlmProxy.Core.Requests;

/// <summary>
/// A request's body in the server's own buffers, with a count of those who still read it. The exchange holds it, and so
/// does every attempt whose content is being sent: an HTTP/2 upstream may answer long before it has taken the whole body, and
/// a buffer given back too early would be sent with somebody else's bytes in it.
/// </summary>
internal sealed class RequestBody
{
    private readonly PipeReader? _reader;
    private readonly BodyBudget? _budget;
    private readonly long _taken;
    private int _holders = 1;
    private int _hasEnded;
    private int _isGiven;
    private TaskCompletionSource? _given;

    /// <param name="bytes">All of the body.</param>
    /// <param name="reader">Where the buffers belong to; null if they are the garbage collector's.</param>
    /// <param name="budget">What the body was taken from; null if from none.</param>
    /// <param name="taken">How much of it.</param>
    public RequestBody(in ReadOnlySequence<byte> bytes, PipeReader? reader, BodyBudget? budget = null, long taken = 0)
    {
        _budget = budget;
        _taken = taken;
        Bytes = bytes;
        Length = bytes.Length;
        _reader = reader;
    }

    /// <summary>For those who hold it: once it is given back, it is empty.</summary>
    public ReadOnlySequence<byte> Bytes { get; private set; }

    public long Length { get; }

    /// <summary>Nobody reads it any more.</summary>
    public bool IsGivenBack => Volatile.Read(ref _isGiven) == 1;

    /// <summary>One more reader; fails if the last has already gone.</summary>
    public bool TryHold()
    {
        var holders = Volatile.Read(ref _holders);
        while (holders > 0)
        {
            var seen = Interlocked.CompareExchange(ref _holders, holders + 1, holders);
            if (seen == holders)
            {
                return true;
            }

            holders = seen;
        }

        return false;
    }

    /// <summary>One reader less; the last gives the buffers back.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            _reader?.AdvanceTo(Bytes.End);

            // A call that is shared keeps this for as long as its answer lasts, and the budget no longer counts it.
            Bytes = default;
            _budget?.GiveBack(_taken);
            Interlocked.Exchange(ref _isGiven, 1);
            Volatile.Read(ref _given)?.TrySetResult();
        }
    }

    /// <summary>The exchange needs it no longer: past the commit no answer keeps its request. May be called again.</summary>
    public void End()
    {
        if (Interlocked.Exchange(ref _hasEnded, 1) == 0)
        {
            Release();
        }
    }

    /// <summary>
    /// Ends it and waits for those who still send it: the server's buffers must not be touched once the server has gone on to
    /// the next request.
    /// </summary>
    public Task EndAsync()
    {
        End();

        // Not the count: the last holder may be about to give them back.
        if (Volatile.Read(ref _isGiven) == 1)
        {
            return Task.CompletedTask;
        }

        var given = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _given, given);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _isGiven) == 1)
        {
            given.TrySetResult();
        }

        return given.Task;
    }
}
