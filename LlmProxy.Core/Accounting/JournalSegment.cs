using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// One file of the journal, mapped into memory: what is copied there is the kernel's at once, and stays where the process is
/// killed in the next instant. (Where the machine loses power, what the kernel has not written yet is lost with it.)
/// </summary>
/// <remarks>
/// A head of 64 bytes, with the mark of the format and how far its rows are in the store; then frames: length, checksum, row. The
/// file is filled with zeros before it is used, so that its blocks exist: a full disk is seen then, not by a write to memory that
/// cannot fail politely. A length of 0 ends it.
/// </remarks>
internal sealed class JournalSegment : IDisposable
{
    public const int Head = 64;
    public const int FrameHead = 8;

    /// <summary>So many bytes more than a frame needs at most let it be copied in blocks.</summary>
    public const int Padding = Block.Size - 1;

    private const ulong Mark = 0x314C4E4A504D4C4C; // LLMPJNL1
    private const int ConfirmedAt = 16;
    private const int Page = 4096;

    private static readonly byte[] _zeros = new byte[64 * 1024];

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private long _end;

    private JournalSegment(string path, FileStream stream)
    {
        Path = path;
        Size = stream.Length;
        _file = MemoryMappedFile.CreateFromFile(stream, null, Size, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: false);
        _view = _file.CreateViewAccessor(0, Size);
    }

    public string Path { get; }

    public long Size { get; }

    /// <summary>Where the next frame goes.</summary>
    public long End => Volatile.Read(ref _end);

    /// <summary>Up to here the store has all rows. Kept in the file.</summary>
    public long Confirmed
    {
        get => _view.ReadInt64(ConfirmedAt);
        set => _view.Write(ConfirmedAt, value);
    }

    /// <summary>Nothing more is appended.</summary>
    public bool IsSealed { get; set; }

    /// <summary>It was left by a process that has ended.</summary>
    public bool IsOld { get; private init; }

    /// <summary>
    /// Rows that cannot be read. One at the end was being written when its process was killed: its answer had not gone out.
    /// </summary>
    public int Unreadable { get; private set; }

    /// <summary>More is wrong with it than that its last row is not whole.</summary>
    public bool IsCorrupt { get; private set; }

    /// <summary>Makes an empty one. Its blocks are on the disk when this returns.</summary>
    public static JournalSegment Create(string path, long size)
    {
        var stream = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            for (long at = 0; at < size; at += _zeros.Length)
            {
                RandomAccess.Write(stream.SafeFileHandle, _zeros.AsSpan(0, (int)Math.Min(_zeros.Length, size - at)), at);
            }

            var segment = new JournalSegment(path, stream) { _end = Head };
            segment._view.Write(0, Mark);
            segment.Confirmed = Head;

            // Once here and not by the requests: the first write to a page costs more than all else of a row.
            for (long at = Head; at < size; at += Page)
            {
                segment._view.Write(at, (byte)0);
            }

            return segment;
        }
        catch
        {
            stream.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Opens one that an earlier process has left, and finds where its frames end.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static JournalSegment Open(string path)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        if (stream.Length < Head)
        {
            stream.Dispose();
            throw new InvalidDataException("It is shorter than its head.");
        }

        var segment = new JournalSegment(path, stream) { IsSealed = true, IsOld = true };
        if (segment._view.ReadUInt64(0) != Mark || segment.Confirmed < Head || segment.Confirmed > segment.Size)
        {
            segment.Dispose();
            throw new InvalidDataException("It does not begin as a journal does.");
        }

        segment.FindEnd();
        return segment;
    }

    /// <summary>Appends a frame, head included. One after another; whoever calls holds the journal's lock.</summary>
    /// <param name="buffer">Begins with the frame. Where it is longer, up to <see cref="Padding"/> bytes behind that are cleared.</param>
    /// <param name="length">Of the frame.</param>
    public bool TryAppend(Span<byte> buffer, int length)
    {
        var end = _end;
        if (Size - end < length)
        {
            return false;
        }

        Put(end, buffer, length);
        Volatile.Write(ref _end, end + length);
        return true;
    }

    /// <summary>Puts length and checksum into the head of a frame whose row is in place.</summary>
    public static void Close(Span<byte> frame)
    {
        var row = frame[FrameHead..];
        BinaryPrimitives.WriteInt32LittleEndian(frame, row.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Crc32C.Of(row));
    }

    /// <summary>Reads the rows from some place on.</summary>
    /// <param name="from">Where a frame begins.</param>
    /// <param name="most">Rows.</param>
    /// <param name="rows">Gets them.</param>
    /// <param name="known">The texts of the row before.</param>
    /// <param name="frames">How many there were, those included that cannot be read.</param>
    /// <returns>Where the frame behind them begins.</returns>
    public long Read(long from, int most, List<LedgerRow> rows, KnownTexts known, out long frames)
    {
        frames = 0;
        var end = End;
        Span<byte> buffer = stackalloc byte[RowCodec.Longest];
        for (; from + FrameHead <= end && most > 0; most--)
        {
            var length = _view.ReadInt32(from);
            if (TryRead(from, length, buffer, known, out var row))
            {
                rows.Add(row);
            }

            from += FrameHead + length;
            frames++;
        }

        return from;
    }

    /// <summary>Bytes of rows that the store does not have yet.</summary>
    public long Waiting => Math.Max(0, End - Confirmed);

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private void FindEnd()
    {
        Span<byte> buffer = stackalloc byte[RowCodec.Longest];
        long at = Head;
        while (at + FrameHead <= Size && _view.ReadInt32(at) is not 0 and var length)
        {
            if (length < 0 || length > RowCodec.Longest || at + FrameHead + length > Size)
            {
                IsCorrupt = true;
                break;
            }

            var isLast = at + FrameHead + length + sizeof(int) > Size || _view.ReadInt32(at + FrameHead + length) == 0;
            if (!TryRead(at, length, buffer, null, out _))
            {
                Unreadable++;
                IsCorrupt |= !isLast;
            }

            at += FrameHead + length;
        }

        _end = at;
    }

    /// <summary>
    /// At once and in blocks: what is copied to a mapped file goes value by value, bytes are the smallest values, and each copy
    /// counts the file's holders up and down.
    /// </summary>
    private void Put(long at, Span<byte> buffer, int length)
    {
        var file = _view.SafeMemoryMappedViewHandle;
        var blocks = (length + Block.Size - 1) & ~(Block.Size - 1);
        if (blocks <= buffer.Length && blocks <= Size - at)
        {
            // What is behind the frame is zero already, and has to stay so: it ends the file.
            buffer[length..blocks].Clear();
            file.WriteSpan((ulong)at, MemoryMarshal.Cast<byte, Block>(buffer[..blocks]));
        }
        else
        {
            // Once in a file: its last.
            file.WriteSpan((ulong)at, buffer[..length]);
        }
    }

    /// <summary>Fills a part of a buffer, and behind it, where there is room for that.</summary>
    private void Take(long at, Span<byte> buffer, int count)
    {
        var blocks = (count + Block.Size - 1) & ~(Block.Size - 1);
        var file = _view.SafeMemoryMappedViewHandle;
        if (blocks <= buffer.Length && at + blocks <= Size)
        {
            file.ReadSpan((ulong)at, MemoryMarshal.Cast<byte, Block>(buffer[..blocks]));
        }
        else
        {
            file.ReadSpan((ulong)at, buffer[..count]);
        }
    }

    private bool TryRead(long at, int length, Span<byte> buffer, KnownTexts? known, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out LedgerRow? row)
    {
        row = null;
        Take(at + FrameHead, buffer, length);
        var bytes = buffer[..length];
        try
        {
            row = Crc32C.Of(bytes) == _view.ReadUInt32(at + sizeof(int)) ? RowCodec.Read(bytes, known) : null;
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            // Written by a later version: it is kept with its file.
        }

        return row is not null;
    }

    [InlineArray(Size / sizeof(ulong))]
    private struct Block
    {
        public const int Size = 64;

        private ulong _first;
    }
}
