using System.Buffers;
using System.Runtime.InteropServices;
using LlmProxy.Host.Listening;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The executable's pool by itself: who has a block has it alone, and what a burst needed is given back.</summary>
[Platform("Linux")]
internal sealed class ConnectionBuffersTests
{
    private const int Burst = 1_000;

    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();
    private ConnectionBuffers _buffers = null!;

    [SetUp]
    public void Create()
    {
        Assume.That(ConnectionBuffers.IsSupported);
        _buffers = new ConnectionBuffers(_time);
    }

    [TearDown]
    public void Dispose() => _buffers?.Dispose();

    [Test]
    public void A_block_is_one_whole_page_of_an_array_which_the_server_needs_to_send_several_at_once()
    {
        using IMemoryOwner<byte> block = _buffers.Rent();
        Assert.That(block.Memory.Length, Is.EqualTo(ConnectionBuffers.BlockSize));
        Assert.That(MemoryMarshal.TryGetArray<byte>(block.Memory, out ArraySegment<byte> array));
        Assert.That(Marshal.UnsafeAddrOfPinnedArrayElement(array.Array!, array.Offset) % ConnectionBuffers.BlockSize, Is.EqualTo(nint.Zero));
        Assert.That(() => _buffers.Rent(ConnectionBuffers.BlockSize + 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void What_a_burst_needed_is_given_back_when_nobody_needed_it_for_a_step_but_for_the_reserve()
    {
        RentAndReturn(Burst);
        _time.Advance(s_step);
        Assert.That(_buffers.Warm, Is.GreaterThanOrEqualTo(Burst - 1), "nobody can tell yet");

        // Half of it is needed again: that half stays for another step.
        RentAndReturn(Burst / 2);
        _time.Advance(s_step);
        Assert.That(_buffers.Warm, Is.EqualTo((Burst / 2) + ConnectionBuffers.Reserve));

        _time.Advance(s_step);
        Assert.That(_buffers.Warm, Is.EqualTo(ConnectionBuffers.Reserve));
        _time.Advance(10 * s_step);
        Assert.That(_buffers.Warm, Is.EqualTo(ConnectionBuffers.Reserve));
    }

    [Test]
    public void A_page_that_was_given_back_reads_as_zeros_and_its_block_is_used_again()
    {
        HashSet<nint> before = RentAndReturn(Burst, fill: 7);
        _time.Advance(s_step);
        _time.Advance(s_step);

        List<IMemoryOwner<byte>> rented = [.. Enumerable.Range(0, Burst).Select(_ => _buffers.Rent())];
        Assert.That(rented.Count(block => !block.Memory.Span.ContainsAnyExcept((byte)0)), Is.EqualTo(Burst - ConnectionBuffers.Reserve));
        Assert.That(rented.Select(AddressOf), Is.EquivalentTo(before), "no more memory than before");
        rented.ForEach(block => block.Dispose());
    }

    [Test]
    public async Task Two_never_have_the_same_block_while_some_are_given_back()
    {
        using var done = new CancellationTokenSource();
        Task[] users = [.. Enumerable.Range(1, 4).Select(user => Task.Run(() => UseMany((byte)user)))];
        Task clock = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                _time.Advance(s_step);
            }
        });
        await Task.WhenAll(users);
        await done.CancelAsync();
        await clock;
    }

    private void UseMany(byte user)
    {
        for (int round = 0; round < 200; round++)
        {
            List<IMemoryOwner<byte>> rented = [.. Enumerable.Range(0, 150).Select(_ => _buffers.Rent())];
            rented.ForEach(block => block.Memory.Span.Fill(user));
            Assert.That(rented.TrueForAll(block => !block.Memory.Span.ContainsAnyExcept(user)));
            rented.ForEach(block => block.Dispose());
        }
    }

    private HashSet<nint> RentAndReturn(int count, byte fill = 0)
    {
        List<IMemoryOwner<byte>> rented = [.. Enumerable.Range(0, count).Select(_ => _buffers.Rent())];
        HashSet<nint> addresses = [.. rented.Select(AddressOf)];
        Assert.That(addresses, Has.Count.EqualTo(count));
        rented.ForEach(block => block.Memory.Span.Fill(fill));
        rented.ForEach(block => block.Dispose());
        return addresses;
    }

    private static nint AddressOf(IMemoryOwner<byte> block) => MemoryMarshal.TryGetArray<byte>(block.Memory, out ArraySegment<byte> array)
        ? Marshal.UnsafeAddrOfPinnedArrayElement(array.Array!, array.Offset)
        : 0;
}
