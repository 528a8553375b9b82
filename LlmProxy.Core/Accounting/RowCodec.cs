namespace LlmProxy.Core.Accounting;

/// <summary>A row of the ledger as bytes, as it waits in the journal.</summary>
internal static class RowCodec
{
    /// <summary>No row is longer.</summary>
    public const int Longest = 16 * 1024;

    // Another process may read it, of the version before or after this one.
    private const byte Version = 1;

    /// <summary>Writes a row.</summary>
    /// <param name="row">What has no room in <paramref name="output"/> goes without its raw usage, and then without its attempts.</param>
    /// <param name="rawUsage">Its raw usage, in the place of its own.</param>
    /// <param name="output"><see cref="Longest"/> bytes; of more it uses no more than that.</param>
    /// <param name="known">Of the rows that the same thread wrote before.</param>
    /// <returns>How long it is.</returns>
    public static int Write(LedgerRow row, ReadOnlySpan<byte> rawUsage, Span<byte> output, RowCourses known)
    {
        output = output.Length > Longest ? output[..Longest] : output;
        var writer = new RowWriter(output);
        Write(row, rawUsage, row.Tried, known, ref writer);
        if (writer.IsFull)
        {
            writer = new RowWriter(output);
            Write(row, default, row.Tried, known, ref writer);
        }

        if (writer.IsFull)
        {
            writer = new RowWriter(output);
            Write(row, default, [], known, ref writer);
        }

        return writer.Length;
    }

    /// <param name="bytes">The row.</param>
    /// <param name="known">What rows before had; null: nothing.</param>
    /// <exception cref="InvalidDataException">It is none, or one of a later version.</exception>
    public static LedgerRow Read(ReadOnlySpan<byte> bytes, KnownTexts? known = null)
    {
        var reader = new RowReader(bytes, known);
        if (reader.Byte() is not Version and var other)
        {
            throw new InvalidDataException($"A row has the version {other}, which is not known here.");
        }

        RowCourse course;
        return new LedgerRow
        {
            Id = reader.OwnText()!,
            ClientId = reader.OwnText(),
            Started = new DateTimeOffset(reader.Number(), TimeSpan.Zero),
            Duration = TimeSpan.FromTicks(reader.Number()),
            FirstEvent = reader.Count() is { } ticks ? TimeSpan.FromTicks(ticks) : null,
            Operation = (course = reader.Course()).Operation,
            Key = course.Key,
            KeyName = course.KeyName,
            Group = course.Group,
            EndUser = course.EndUser,
            Model = course.Model,
            Upstream = course.Upstream,
            UpstreamModel = course.UpstreamModel,
            Status = course.Status,
            Streamed = course.Streamed,
            End = course.End,
            InputTokens = reader.Count(),
            CachedInputTokens = reader.Count(),
            CacheWriteTokens = reader.Count(),
            CacheWrite1hTokens = reader.Count(),
            OutputTokens = reader.Count(),
            ReasoningTokens = reader.Count(),
            UsageSource = reader.Text()!,
            RawUsage = reader.Text(),
            ServiceTier = reader.Text(),
            Cost = reader.Byte() != 0 ? reader.Money() : null,
            OperatorCost = reader.Byte() != 0 ? reader.Money() : 0,
            CoalescedWith = reader.Text(),
            KeyDay = DateOnly.FromDayNumber((int)reader.Number()),
            GroupDay = DateOnly.FromDayNumber((int)reader.Number()),
            Tried = ReadTried(ref reader),
        };
    }

    private static void Write(LedgerRow row, ReadOnlySpan<byte> rawUsage, IReadOnlyList<AttemptRecord> tried, RowCourses known, ref RowWriter writer)
    {
        writer.Byte(Version);
        writer.Text(row.Id);
        writer.Text(row.ClientId);
        writer.Number(row.Started.UtcTicks);
        writer.Number(row.Duration.Ticks);
        writer.Count(row.FirstEvent?.Ticks);
        var course = known.PlaceOf(row);
        if (course.IsOf(row))
        {
            writer.Bytes(course.Bytes);
        }
        else
        {
            course.Write(row, ref writer);
        }

        writer.Count(row.InputTokens);
        writer.Count(row.CachedInputTokens);
        writer.Count(row.CacheWriteTokens);
        writer.Count(row.CacheWrite1hTokens);
        writer.Count(row.OutputTokens);
        writer.Count(row.ReasoningTokens);
        writer.Text(row.UsageSource);
        writer.Text(rawUsage);
        writer.Text(row.ServiceTier);
        WriteMoney(row.Cost, ref writer);
        WriteMoney(row.OperatorCost == 0 ? null : row.OperatorCost, ref writer);
        writer.Text(row.CoalescedWith);
        writer.Number(row.KeyDay.DayNumber);
        writer.Number(row.GroupDay.DayNumber);
        writer.Number(tried.Count);
        foreach (var attempt in tried)
        {
            writer.Text(attempt.Upstream);
            writer.Text(attempt.UpstreamModel);
            writer.Text(attempt.End);
            writer.Number(attempt.Duration.Ticks);
            writer.Count(attempt.InputTokens);
            writer.Count(attempt.OutputTokens);
        }
    }

    private static void WriteMoney(decimal? money, ref RowWriter writer)
    {
        writer.Byte(money is null ? (byte)0 : (byte)1);
        if (money is { } known)
        {
            writer.Money(known);
        }
    }

    private static AttemptRecord[] ReadTried(ref RowReader reader)
    {
        var count = reader.Number();
        if (count is < 0 or > Longest)
        {
            throw new InvalidDataException("A row has more attempts than it can hold.");
        }

        if (count == 0)
        {
            return [];
        }

        var tried = new AttemptRecord[count];
        for (var i = 0; i < tried.Length; i++)
        {
            tried[i] = new AttemptRecord(reader.Text()!, reader.Text()!, reader.Text()!, TimeSpan.FromTicks(reader.Number()))
            {
                InputTokens = reader.Count(),
                OutputTokens = reader.Count(),
            };
        }

        return tried;
    }
}
