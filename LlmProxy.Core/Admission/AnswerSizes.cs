namespace LlmProxy.Core.Admission;

/// <summary>
/// How long answers are, as far as that has to be known to guess the next: a count for each size, in steps of a quarter and less,
/// of some hundred answers; older ones fade. Written and read without a lock: an answer that is lost between two who write at once
/// changes no guess.
/// </summary>
internal abstract class AnswerSizes
{
    /// <summary>With fewer, nothing can be said of how long 95 of 100 are.</summary>
    public const int Least = 8;

    // Four sizes for each power of two, up to 2^24 tokens.
    private const int Steps = 4;
    private const int Sizes = 24 * Steps;
    private const int Most = 512;

    // Made with the first answer.
    private ushort[]? _counts;
    private int _total;
    private long _usual;

    /// <summary>The size that 95 of 100 do not pass; 0 as long as that is not known.</summary>
    public long Usual => Volatile.Read(ref _usual);

    /// <summary>An answer was so long.</summary>
    public void Add(long tokens)
    {
        var counts = _counts ??= new ushort[Sizes];
        ref var count = ref counts[SizeOf(tokens)];
        if (count < ushort.MaxValue)
        {
            count++;
        }

        // One of all who add at once: twice faded, the counts would not be what they are said to be in all.
        if (Interlocked.Increment(ref _total) == Most)
        {
            Fade(counts);
        }

        if (_total >= Least)
        {
            Volatile.Write(ref _usual, Find(counts, _total));
        }
    }

    private void Fade(ushort[] counts)
    {
        var total = 0;
        foreach (ref var count in counts.AsSpan())
        {
            count /= 2;
            total += count;
        }

        _total = total;
    }

    private static long Find(ushort[] counts, int total)
    {
        // From the largest down: the first with which more than 5 of 100 are passed.
        var allowed = total / 20;
        var passed = 0;
        for (var size = counts.AsSpan().LastIndexOfAnyExcept((ushort)0); size > 0; size--)
        {
            passed += counts[size];
            if (passed > allowed)
            {
                return LargestOf(size);
            }
        }

        return LargestOf(0);
    }

    private static int SizeOf(long tokens)
    {
        var power = System.Numerics.BitOperations.Log2((ulong)Math.Max(1, tokens));
        var step = power < 2 ? 0 : (int)((tokens >> (power - 2)) & (Steps - 1));
        return Math.Min((power * Steps) + step, Sizes - 1);
    }

    private static long LargestOf(int size)
    {
        var (power, step) = Math.DivRem(size, Steps);
        return power < 2 ? (2L << power) - 1 : ((long)(Steps + step + 1) << (power - 2)) - 1;
    }
}
