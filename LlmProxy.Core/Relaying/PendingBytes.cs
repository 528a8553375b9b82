using System.Buffers;

namespace LlmProxy.Core.Relaying;

/// <summary>Bytes that cannot go out yet, because their event is not whole. Rents a buffer only while it holds any.</summary>
internal struct PendingBytes
{
    private const int Smallest = 4096;

    private byte[]? _array;

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Span => _array.AsSpan(0, Length);

    public void Append(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_array.AsSpan(Length));
        Length += bytes.Length;
    }

    /// <summary>Room to read into, behind what is there.</summary>
    public Memory<byte> GetMemory()
    {
        Reserve(Smallest / 2);
        return _array.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    /// <summary>Drops bytes from the front.</summary>
    public void Drop(int count)
    {
        Length -= count;
        if (Length == 0)
        {
            Release();
        }
        else
        {
            _array.AsSpan(count, Length).CopyTo(_array);
        }
    }

    public void Release()
    {
        Length = 0;
        if (_array is not null)
        {
            ArrayPool<byte>.Shared.Return(_array);
            _array = null;
        }
    }

    private void Reserve(int more)
    {
        if (_array is null)
        {
            _array = ArrayPool<byte>.Shared.Rent(Math.Max(Smallest, more));
        }
        else if (_array.Length - Length < more)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * _array.Length, Length + more));
            Span.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_array);
            _array = larger;
        }
    }
}
