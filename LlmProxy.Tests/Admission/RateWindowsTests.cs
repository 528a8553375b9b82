using CsCheck;
using LlmProxy.Core.Admission;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

internal sealed class RateWindowsTests
{
    /// <summary>Beside a list of all that was taken, which is gone through for each answer.</summary>
    [Test]
    public void Whatever_is_taken_and_settled_whenever_counts_for_61_seconds_from_its_own() =>
        Gen.Select(Gen.Int[0, 3], Gen.OneOf(Gen.Const(0), Gen.Int[0, 3], Gen.Int[0, 70]), Gen.Int[0, 1000]).Array[1, 60].Sample(steps =>
        {
            var windows = default(RateWindows);
            List<Entry> all = [];
            long now = 1_000_000;
            foreach ((int kind, int passed, int tokens) in steps)
            {
                now += passed;
                if (kind < 2 || all.Count == 0)
                {
                    windows.Take(now, kind % 2, tokens);
                    all.Add(new Entry { Second = now, Requests = kind % 2, Tokens = tokens });
                }
                else
                {
                    Settle(ref windows, all, all[tokens % all.Count], tokens, now);
                }

                windows.MoveTo(now);
                Entry[] counted = [.. all.Where(e => e.Second > now - RateWindows.Length)];
                Assert.That((windows.Requests, windows.Tokens), Is.EqualTo((counted.Sum(static e => e.Requests), counted.Sum(static e => e.Tokens))));
                foreach (long amount in new[] { 0, 1, tokens, windows.Tokens, windows.Tokens + 1 })
                {
                    Assert.That(windows.WaitFor(Dimension.Tokens, amount, now), Is.EqualTo(WaitFor(amount, counted, static e => e.Tokens, now)), $"{amount}");
                    Assert.That(windows.WaitFor(Dimension.Requests, amount, now), Is.EqualTo(WaitFor(amount, counted, static e => e.Requests, now)), $"{amount}");
                }

                // Whoever has read the clock before somebody else.
                Assert.That(windows.WaitFor(Dimension.Tokens, 1, now - 1), Is.EqualTo(WaitFor(1, counted, static e => e.Tokens, now - 1)));
            }
        }, iter: 20_000);

    // Entry by entry, the oldest first.
    private static long WaitFor(long amount, Entry[] counted, Func<Entry, long> of, long now)
    {
        foreach (Entry entry in counted.OrderBy(static e => e.Second))
        {
            if (amount <= 0)
            {
                break;
            }

            amount -= of(entry);
            if (amount <= 0)
            {
                return entry.Second + RateWindows.Length - now;
            }
        }

        return amount <= 0 ? 0 : RateWindows.Length;
    }

    // Of an entry more or less is used than was taken, and its request may be given back.
    private static void Settle(ref RateWindows windows, List<Entry> all, Entry entry, int used, long now)
    {
        long requests = used % 2 == 0 ? -entry.Requests : 0;
        long tokens = used - entry.Tokens;
        windows.Settle(entry.Second, requests, tokens, now);
        if (entry.Second > now - RateWindows.Length)
        {
            (entry.Requests, entry.Tokens) = (entry.Requests + requests, used);
        }
        else if (tokens > 0)
        {
            all.Add(new Entry { Second = now, Tokens = tokens });
        }
    }

    private sealed class Entry
    {
        public long Second { get; init; }

        public long Requests { get; set; }

        public long Tokens { get; set; }
    }
}
