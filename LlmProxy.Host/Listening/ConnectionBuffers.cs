using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace LlmProxy.Host.Listening;

/// <summary>
/// The buffers of connections: blocks of one page each. The server's own pool keeps for minutes what one burst of requests
/// needed, and what it drops is the garbage collector's, who keeps it as well. Here a block that nobody has needed for a
/// second is given back to the system: its page, not its address.
/// </summary>
internal sealed class ConnectionBuffers : MemoryPool<byte>
{
    /// <summary>What the server takes a block to be.</summary>
    public const int BlockSize = 4096;

    /// <summary>Blocks that are never given back: a page that is needed again costs a fault of the memory.</summary>
    public const int Reserve = 64;

    private const int BlocksPerSlab = 128;

    /// <summary>In one step, so that a step takes milliseconds at the most.</summary>
    private const int MostPerStep = 16 * 1024;

    private static readonly TimeSpan _step = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly ITimer _timer;
    private Block? _warm;
    private Block? _cold;
    private int _warmCount;
    private int _leastWarm;
    private bool _isWatching;
    private bool _isDisposed;

    public ConnectionBuffers(TimeProvider time) =>
        _timer = time.CreateTimer(static state => ((ConnectionBuffers)state!).GiveBack(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    /// <summary>Whether pages can be given back here, one by one.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && Environment.Is64BitProcess && Environment.SystemPageSize == BlockSize;

    public override int MaxBufferSize => BlockSize;

    /// <summary>Free blocks that hold memory.</summary>
    public int Warm => Volatile.Read(ref _warmCount);

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_warm is { } warm)
            {
                _warm = warm.Next;
                _warmCount--;
                _leastWarm = Math.Min(_leastWarm, _warmCount);
                return warm;
            }

            if (_cold is null)
            {
                Add(AllocateSlab());
            }

            var cold = _cold!;
            _cold = cold.Next;
            return cold;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            lock (_lock)
            {
                _isDisposed = true;
            }

            _timer.Dispose();
        }
    }

    private void Return(Block block)
    {
        lock (_lock)
        {
            block.Next = _warm;
            _warm = block;
            _warmCount++;
            if (_warmCount > Reserve && !_isWatching && !_isDisposed)
            {
                Watch();
            }
        }
    }

    private void Watch()
    {
        _isWatching = true;
        _leastWarm = _warmCount;
        _timer.Change(_step, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Gives back what was free all the time since the last step.</summary>
    private void GiveBack()
    {
        Block? first;
        Block last;
        lock (_lock)
        {
            _isWatching = false;
            if (_isDisposed)
            {
                return;
            }

            var count = Math.Min(_leastWarm - Reserve, MostPerStep);
            if (count <= 0)
            {
                if (_warmCount > Reserve)
                {
                    Watch();
                }

                return;
            }

            first = last = _warm!;
            for (var i = 1; i < count; i++)
            {
                last = last.Next!;
            }

            _warm = last.Next;
            _warmCount -= count;
            last.Next = null;
            if (_warmCount > Reserve)
            {
                Watch();
            }
        }

        // Outside the lock: nobody else knows these blocks now.
        for (var block = first; block is not null; block = block.Next)
        {
            _ = Advise(block.Address, BlockSize, NotNeeded);
        }

        lock (_lock)
        {
            last.Next = _cold;
            _cold = first;
        }
    }

    private void Add(byte[] slab)
    {
        var address = Marshal.UnsafeAddrOfPinnedArrayElement(slab, 0);
        var offset = (int)(-address & (BlockSize - 1));
        for (var i = BlocksPerSlab - 1; i >= 0; i--)
        {
            var start = offset + (i * BlockSize);
            _cold = new Block(this, slab.AsMemory(start, BlockSize), address + start) { Next = _cold };
        }
    }

    // One page more than the blocks need, so that they can begin at a page's beginning. Nothing of it is touched yet.
    private static byte[] AllocateSlab() => GC.AllocateUninitializedArray<byte>((BlocksPerSlab + 1) * BlockSize, pinned: true);

    // sys/mman.h: the page is taken away at once and reads as zeros from then on.
    private const int NotNeeded = 4;

    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Advise(nint address, nuint length, int advice);

    private sealed class Block(ConnectionBuffers pool, Memory<byte> memory, nint address) : IMemoryOwner<byte>
    {
        public Memory<byte> Memory => memory;

        public nint Address => address;

        public Block? Next { get; set; }

        public void Dispose() => pool.Return(this);
    }
}

/// <summary>Makes the pools of the server, one for each queue of its sockets.</summary>
internal sealed class ConnectionBufferFactory(TimeProvider time) : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new ConnectionBuffers(time);
}
