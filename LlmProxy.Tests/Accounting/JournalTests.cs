using LlmProxy.Core.Accounting;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>Rows on their way to the store, on disk.</summary>
internal sealed partial class JournalTests
{
    private const long Segment = 64 * 1024;

    private readonly List<string> _faults = [];
    private static readonly RowCourses _courses = new();
    private string _directory = "";

    [SetUp]
    public void MakeDirectory()
    {
        _faults.Clear();
        _directory = Directory.CreateTempSubdirectory("llmproxy-journal-").FullName;
    }

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void A_row_is_read_as_it_was_written()
    {
        LedgerRow row = Row(7) with
        {
            ClientId = "client",
            FirstEvent = TimeSpan.FromMilliseconds(3),
            KeyName = "Анна",
            Group = "g",
            EndUser = "u@example.com",
            CachedInputTokens = 0,
            CacheWriteTokens = 3,
            ReasoningTokens = 5,
            RawUsage = "{\"a\":1}",
            ServiceTier = "flex",
            Cost = 0.000_000_001m,
            OperatorCost = 12.5m,
            CoalescedWith = "other",
            Tried = [new AttemptRecord("a", "m", "boom", TimeSpan.FromSeconds(1)), new AttemptRecord("b", "m", "ok", TimeSpan.FromSeconds(2)) { InputTokens = 4 }],
            GroupDay = new DateOnly(2026, 11, 26),
        };
        LedgerRow read = RowCodec.Read(Encode(row));
        Assert.That(read with { Tried = row.Tried }, Is.EqualTo(row));
        Assert.That(read.Tried, Is.EqualTo(row.Tried));
        Assert.That(RowCodec.Read(Encode(Row(8))) with { Tried = Row(8).Tried }, Is.EqualTo(Row(8)));
    }

    [Test]
    public void Rows_come_in_their_order_until_they_are_confirmed_and_files_go_with_the_last_of_theirs()
    {
        using Journal journal = Open();
        Fill(journal, 1_000);
        Assert.That(Directory.GetFiles(Folder, "*.journal"), Has.Length.GreaterThan(2));

        Assert.That(Ids(journal.Read(10, oldOnly: false)), Is.EqualTo(Ids(Enumerable.Range(0, 10).Select(Row))));
        Assert.That(Ids(journal.Read(10, oldOnly: false)), Is.EqualTo(Ids(Enumerable.Range(0, 10).Select(Row))), "not confirmed: the same again");
        var all = new List<string>();
        while (journal.Read(100, oldOnly: false) is { Count: > 0 } rows)
        {
            all.AddRange(Ids(rows));
            journal.Confirm();
        }

        Assert.That(all, Is.EqualTo(Ids(Enumerable.Range(0, 1_000).Select(Row))));
        Assert.That((journal.WaitingRows, journal.IsEmpty), Is.EqualTo((0L, true)));
        Assert.That(Directory.GetFiles(Folder, "*.journal"), Has.Length.LessThanOrEqualTo(2));
    }

    [Test]
    public void What_was_not_confirmed_is_there_after_a_restart_and_nothing_else()
    {
        Leave(300, confirmed: 120);
        using Journal again = Open(isOld: true);
        Assert.That(ReadAll(again), Is.EqualTo(Ids(Enumerable.Range(120, 180).Select(Row))));
        Assert.That(_faults, Is.Empty);
    }

    [Test]
    [Category("P21")]
    public void P21_a_last_row_that_is_not_whole_is_dropped_and_told()
    {
        string file = Leave(50);
        long end = LastFrame(file);
        using (FileStream stream = File.OpenWrite(file))
        {
            // As though the process had ended after the first bytes of it.
            stream.Position = end + 30;
            stream.Write(new byte[Segment - end - 30]);
        }

        using Journal journal = Open(isOld: true);
        Assert.That(ReadAll(journal), Is.EqualTo(Ids(Enumerable.Range(0, 49).Select(Row))));
        Assert.That(_faults, Has.Exactly(1).Contains("its last row is not whole"));
        Assert.That(File.Exists(file + ".corrupt"), Is.False);
    }

    [Test]
    [Category("P12")]
    public void P12_a_damaged_file_is_kept_and_what_can_be_read_of_it_is_used()
    {
        string file = Leave(50);
        using (FileStream stream = File.Open(file, FileMode.Open, FileAccess.ReadWrite))
        {
            stream.Position = JournalSegment.Head + JournalSegment.FrameHead + 3;
            stream.WriteByte(0xFF);
        }

        using (Journal journal = Open(isOld: true))
        {
            Assert.That(ReadAll(journal), Is.EqualTo(Ids(Enumerable.Range(1, 49).Select(Row))));
        }

        Assert.That(_faults, Has.Exactly(1).Contains("it is damaged"));
        Assert.That(File.Exists(file + ".corrupt"), Is.True);
    }

    [TestCase(0)]
    [TestCase(10)]
    [TestCase(100)]
    public void What_is_no_journal_is_set_aside(int length)
    {
        Directory.CreateDirectory(Folder);
        string file = Path.Combine(Folder, "0000000007.journal");
        File.WriteAllBytes(file, [.. Enumerable.Range(0, length).Select(i => (byte)i)]);
        using Journal journal = Open(isOld: true);
        Assert.That(ReadAll(journal), Is.Empty);
        Assert.That((_faults.Count, File.Exists(file), File.Exists(file + ".corrupt")), Is.EqualTo((1, false, true)));
        Assert.That(Append(journal, 1), Is.EqualTo(KeptIn.File));
    }

    [Test]
    [Category("P13")]
    public void P13_when_there_is_no_more_room_on_disk_rows_wait_in_memory_and_then_are_refused()
    {
        using Journal journal = Open(capacity: 2 * Segment);
        var kept = new List<KeptIn>();
        while (kept.Count < 200_000 && (kept.Count == 0 || kept[^1] != KeptIn.Nothing))
        {
            kept.Add(Append(journal, kept.Count));
            journal.Prepare();
        }

        Assert.That(kept.Order(), Is.EqualTo(kept), "the disk, then memory, then nothing");
        Assert.That((kept[0], kept[^1], journal.IsFull), Is.EqualTo((KeptIn.File, KeptIn.Nothing, true)));
        Assert.That(ReadAll(journal), Is.EquivalentTo(Ids(Enumerable.Range(0, kept.Count - 1).Select(Row))));
        journal.Prepare();
        Assert.That((Append(journal, 1), journal.IsFull), Is.EqualTo((KeptIn.File, false)), "there is room again");
    }

    [Test]
    [Category("P23")]
    public void P23_two_processes_in_one_directory_have_a_folder_each_and_what_one_leaves_the_other_takes_over()
    {
        using JournalFolder first = JournalFolder.Take(_directory);
        var second = new Journal(8 * Segment, Segment);
        JournalFolder secondFolder = JournalFolder.Take(_directory);
        Assert.That(secondFolder.Path, Is.Not.EqualTo(first.Path));
        second.Open(secondFolder);
        second.Prepare();
        Fill(second, 20);
        Assert.That(JournalFolder.TakeLeft(_directory), Is.Empty, "it still runs");
        second.Dispose();

        using var journal = new Journal(8 * Segment, Segment);
        journal.Open(first);
        List<JournalFolder> left = JournalFolder.TakeLeft(_directory);
        left.ForEach(folder => journal.AddOld(folder, (path, fault) => _faults.Add(fault)));
        Assert.That(ReadAll(journal), Is.EqualTo(Ids(Enumerable.Range(0, 20).Select(Row))));
        left.ForEach(folder => folder.Dispose());
    }

    [Test]
    public void Many_may_append_at_once()
    {
        using Journal journal = Open(capacity: 512 * Segment);
        Parallel.For(0, 8, worker =>
        {
            for (int i = 0; i < 500; i++)
            {
                Append(journal, (worker * 500) + i);
                if (i % 50 == 0)
                {
                    lock (this)
                    {
                        journal.Prepare();
                    }
                }
            }
        });
        Assert.That(ReadAll(journal), Is.EquivalentTo(Ids(Enumerable.Range(0, 4_000).Select(Row))));
    }

    private string Folder => Path.Combine(_directory, "0");

    internal static LedgerRow Row(int number) => new()
    {
        Id = $"01JD{number:D22}",
        Started = new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero).AddSeconds(number),
        Duration = TimeSpan.FromMilliseconds(number),
        Operation = "chat",
        Key = "key",
        KeyName = "key",
        Model = "model",
        Upstream = "main",
        UpstreamModel = "m",
        Status = 200,
        Streamed = true,
        End = "ok",
        InputTokens = number,
        OutputTokens = 12,
        UsageSource = "upstream",
        Cost = 0.25m,
        KeyDay = new DateOnly(2026, 11, 25),
        GroupDay = new DateOnly(2026, 11, 25),
    };

    private static byte[] Encode(LedgerRow row)
    {
        byte[] bytes = new byte[2 * RowCodec.Longest];
        return bytes[..RowCodec.Write(row, System.Text.Encoding.UTF8.GetBytes(row.RawUsage ?? ""), bytes, _courses)];
    }

    private static string[] Ids(IEnumerable<LedgerRow> rows) => [.. rows.Select(row => row.Id)];

    private static KeptIn Append(Journal journal, int number)
    {
        byte[] frame = [.. new byte[JournalSegment.FrameHead], .. Encode(Row(number))];
        JournalSegment.Close(frame);

        // What is left there of a longer row before must not come along.
        byte[] buffer = [.. frame, .. Enumerable.Repeat((byte)0xFF, number % 3 == 0 ? 0 : JournalSegment.Padding)];
        return journal.Append(buffer, frame.Length);
    }

    private static void Fill(Journal journal, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Assert.That(Append(journal, i), Is.EqualTo(KeptIn.File));
            journal.Prepare();
        }
    }

    private static List<string> ReadAll(Journal journal)
    {
        var ids = new List<string>();
        while (journal.Read(100, oldOnly: false) is { Count: > 0 } rows)
        {
            ids.AddRange(Ids(rows));
            journal.Confirm();
        }

        return ids;
    }

    private static long LastFrame(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        int at = JournalSegment.Head;
        int last = at;
        while (BitConverter.ToInt32(bytes, at) is not 0 and var length)
        {
            last = at;
            at += JournalSegment.FrameHead + length;
        }

        return last;
    }

    private string Leave(int count, int confirmed = 0)
    {
        using Journal journal = Open();
        Fill(journal, count);
        journal.Read(confirmed, oldOnly: false);
        journal.Confirm();
        return Directory.GetFiles(Folder, "*.journal").Order().First();
    }

    private Journal Open(long capacity = 64 * Segment, bool isOld = false)
    {
        var journal = new Journal(capacity, Segment);
        JournalFolder folder = JournalFolder.Take(_directory);
        journal.Open(folder);
        if (isOld)
        {
            journal.AddOld(folder, (path, fault) => _faults.Add(fault));
        }

        journal.Prepare();
        return journal;
    }
}
