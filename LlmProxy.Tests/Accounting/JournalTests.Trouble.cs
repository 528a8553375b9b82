using LlmProxy.Core.Accounting;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>What cannot be read, opened or kept on disk for now.</summary>
internal sealed partial class JournalTests
{
    [Test]
    public void What_is_too_long_for_a_row_is_left_out_and_the_row_is_kept()
    {
        var room = RowCodec.Longest - Encode(Row(1) with { RawUsage = null }).Length;
        LedgerRow read = RowCodec.Read(Encode(Row(1) with { RawUsage = new string('x', room) }));
        Assert.That((read.Id, read.RawUsage, read.Cost), Is.EqualTo((Row(1).Id, null as string, Row(1).Cost)));
        Assert.That(RowCodec.Read(Encode(Row(1) with { RawUsage = new string('x', room - 1) })).RawUsage, Has.Length.EqualTo(room - 1));
    }

    [Test]
    public void A_row_is_read_as_it_was_written_whatever_the_row_before_was()
    {
        var known = new KnownTexts();
        LedgerRow[] rows =
        [
            Row(1), Row(1) with { KeyName = "Анна", Group = "aaaaaaaa" }, Row(2) with { KeyName = "Анне", Group = "aaaaaaab", Model = "" },
            Row(3) with { Group = null, RawUsage = "{}" }, Row(4) with { Group = "aaaaaaab" },
        ];
        foreach (var row in rows)
        {
            Assert.That(RowCodec.Read(Encode(row), known) with { Tried = row.Tried }, Is.EqualTo(row));
        }

        var (one, other) = (RowCodec.Read(Encode(Row(5)), known), RowCodec.Read(Encode(Row(6)), known));
        Assert.That(other.Model, Is.SameAs(one.Model), "made once");
    }

    /// <summary>What both have the same way is copied, so all that may differ does here, one after another and back.</summary>
    [Test]
    public void A_row_that_differs_from_the_one_before_in_one_thing_has_its_own()
    {
        var known = new KnownTexts();
        LedgerRow row = Row(1) with { Group = "group", EndUser = "user" };
        LedgerRow[] others =
        [
            row with { Operation = "embeddings" }, row with { Key = "other" }, row with { KeyName = "Other" }, row with { Group = null }, row with { Group = "grouq" },
            row with { EndUser = null }, row with { Model = "modem" }, row with { Upstream = null }, row with { UpstreamModel = "n" }, row with { UpstreamModel = null },
            row with { Status = 499 }, row with { Streamed = false }, row with { End = "no" }, row with { KeyName = "", Group = "" },
        ];
        foreach (var other in others)
        {
            foreach (var next in new[] { row, other, other with { Id = row.Id + "1" }, row })
            {
                byte[] bytes = Encode(next);
                byte[] anew = new byte[RowCodec.Longest];
                Assert.That(bytes, Is.EqualTo(anew[..RowCodec.Write(next, default, anew, new RowCourses())]), "as nothing but itself");
                Assert.That(RowCodec.Read(bytes, known) with { Tried = next.Tried }, Is.EqualTo(next));
            }
        }
    }

    /// <summary>Where there is no more room, no part of a row is taken for the whole of it by the next.</summary>
    [Test]
    public void A_row_after_one_that_had_no_room_is_whole()
    {
        LedgerRow row = Row(1) with { Model = new string('m', 100) };
        RowCodec.Write(row, default, new byte[60], _courses);
        Assert.That(RowCodec.Read(Encode(row)) with { Tried = row.Tried }, Is.EqualTo(row));
        Assert.That(() => RowCodec.Read(Encode(row).AsSpan(0, 60), new KnownTexts()), Throws.InstanceOf<InvalidDataException>());
    }

    [Test]
    public void What_waits_in_memory_is_brought_though_files_always_have_rows()
    {
        using var journal = new Journal(64 * Segment, Segment);
        Assert.That(Append(journal, 1), Is.EqualTo(KeptIn.Memory), "there is no folder yet");
        journal.Open(JournalFolder.Take(_directory));
        journal.Prepare();
        Assert.That(Append(journal, 2), Is.EqualTo(KeptIn.File));
        Assert.That(Ids(journal.Read(100, oldOnly: false)), Is.EquivalentTo(Ids([Row(1), Row(2)])));
        Assert.That(journal.HasBrought(2), Is.False);
        journal.Confirm();
        Assert.That((journal.WaitingRows, journal.HasBrought(2)), Is.EqualTo((0L, true)));
    }

    [Test]
    public void A_row_that_cannot_be_read_any_more_does_not_count_as_one_that_waits()
    {
        using Journal journal = Open();
        Append(journal, 1);
        Append(journal, 2);
        using (var file = new FileStream(Directory.GetFiles(Folder, "*.journal").Order(StringComparer.Ordinal).First(), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            file.Position = JournalSegment.Head + JournalSegment.FrameHead;
            file.WriteByte(0xFF);
        }

        Assert.That(Ids(journal.Read(100, oldOnly: false)), Is.EqualTo(Ids([Row(2)])));
        journal.Confirm();
        Assert.That(journal.WaitingRows, Is.Zero);
    }

    [Test]
    public void A_file_that_cannot_be_opened_now_is_opened_later_and_not_set_aside()
    {
        using (Journal before = Open())
        {
            Append(before, 1);
        }

        using JournalFolder folder = JournalFolder.Take(_directory);
        var path = Directory.GetFiles(Folder, "*.journal").Single();
        using (new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            Assert.That(folder.OpenAll((_, fault) => _faults.Add(fault)), Is.Empty);
        }

        Assert.That((folder.HasUnopened, _faults.Count, File.Exists(path)), Is.EqualTo((true, 1, true)));
        JournalSegment segment = folder.OpenAll((_, fault) => _faults.Add(fault)).Single();
        Assert.That((folder.HasUnopened, segment.Waiting > 0), Is.EqualTo((false, true)));
        segment.Dispose();
    }
}
