using System.Buffers;

namespace LlmProxy.Core.Forwarding;

/// <summary>A rented buffer that grows; whoever detaches its array returns it. Rents nothing until room is asked for.</summary>
/// <param name="size">Of its first array.</param>
internal struct GrowingBuffer(int size) : IDisposable
{
    private readonly int _size = size;
    private byte[]? _array;

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _array.AsSpan(0, Length);

    public readonly ReadOnlyMemory<byte> WrittenMemory => _array.AsMemory(0, Length);

    /// <summary>Room for at least one more byte.</summary>
    public Memory<byte> Free()
    {
        if (_array is null || Length == _array.Length)
        {
            MoveTo(Math.Max(_size, 2 * Length));
        }

        return _array.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    /// <summary>Keeps no more than what was written needs: for a wait that may be long.</summary>
    public void Fit()
    {
        if (Length == 0)
        {
            Dispose();
        }
        else if (_array!.Length >= 2 * Length)
        {
            MoveTo(Length);
        }
    }

    public byte[] Detach()
    {
        var array = _array!;
        _array = null;
        return array;
    }

    public void Dispose()
    {
        if (_array is not null)
        {
            ArrayPool<byte>.Shared.Return(_array);
            _array = null;
        }
    }

    private void MoveTo(int size)
    {
        var other = ArrayPool<byte>.Shared.Rent(size);
        Written.CopyTo(other);
        Dispose();
        _array = other;
    }
}
