using CsCheck;
using LlmProxy.Core.Relaying;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

internal sealed class PendingBytesTests
{
    [Test]
    public void Whatever_is_appended_read_into_and_dropped_it_holds_the_bytes_in_between() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 9_000]).Array[0, 40].Sample(steps =>
        {
            var pending = new PendingBytes();
            var expected = new List<byte>();
            byte next = 0;
            foreach (var (what, size) in steps)
            {
                switch (what)
                {
                    case 0:
                        var bytes = Enumerable.Range(0, size).Select(_ => next++).ToArray();
                        pending.Append(bytes);
                        expected.AddRange(bytes);
                        break;
                    case 1:
                        var memory = pending.GetMemory().Span;
                        var count = Math.Min(size, memory.Length);
                        for (var i = 0; i < count; i++)
                        {
                            memory[i] = next;
                            expected.Add(next++);
                        }

                        pending.Advance(count);
                        break;
                    default:
                        var dropped = Math.Min(size, expected.Count);
                        pending.Drop(dropped);
                        expected.RemoveRange(0, dropped);
                        break;
                }

                if (pending.Length != expected.Count || !pending.Span.SequenceEqual(expected.ToArray()))
                {
                    return false;
                }
            }

            pending.Release();
            return pending.Length == 0 && pending.Span.IsEmpty;
        });

    [Test]
    public void There_is_always_room_to_read_into()
    {
        var pending = new PendingBytes();
        for (var i = 0; i < 10; i++)
        {
            var memory = pending.GetMemory();
            Assert.That(memory.Length, Is.GreaterThanOrEqualTo(2_048));
            pending.Advance(memory.Length);
        }

        pending.Release();
    }
}
