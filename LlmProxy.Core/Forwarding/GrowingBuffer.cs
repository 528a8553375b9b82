using System.Buffers;

namespace LlmProxy.Core.Forwarding;

/// <summary>A rented buffer that grows; whoever detaches its array returns it.</summary>
internal struct GrowingBuffer(int size) : IDisposable
{
    private byte[]? _array = ArrayPool<byte>.Shared.Rent(size);

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _array.AsSpan(0, Length);

    public readonly ReadOnlyMemory<byte> WrittenMemory => _array.AsMemory(0, Length);

    /// <summary>Room for at least one more byte.</summary>
    public Memory<byte> Free()
    {
        if (Length == _array!.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(2 * Length);
            _array.AsSpan(0, Length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_array);
            _array = larger;
        }

        return _array.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

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
}
