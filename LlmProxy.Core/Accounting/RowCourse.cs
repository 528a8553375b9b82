using System.Buffers.Binary;
using System.Numerics;

namespace LlmProxy.Core.Accounting;

/// <summary>The part of a row that many have alike, with its bytes: whose it is and which way it went.</summary>
internal sealed class RowCourse
{
    /// <summary>How many it has.</summary>
    public const int Texts = 9;

    private byte[] _bytes = [];
    private int _length;

    public string Operation { get; private set; } = "";

    public string Key { get; private set; } = "";

    public string KeyName { get; private set; } = "";

    public string? Group { get; private set; }

    public string? EndUser { get; private set; }

    public string Model { get; private set; } = "";

    public string? Upstream { get; private set; }

    public string? UpstreamModel { get; private set; }

    public int Status { get; private set; }

    public bool Streamed { get; private set; }

    public string End { get; private set; } = "";

    /// <summary>As rows have it; empty until there are any.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>It is that of a row. Nearly always by the very same texts: those of a caller and of the configuration.</summary>
    public bool IsOf(LedgerRow row) =>
        _length > 0
        && Key == row.Key && Model == row.Model && UpstreamModel == row.UpstreamModel && Upstream == row.Upstream && Operation == row.Operation
        && KeyName == row.KeyName && Group == row.Group && EndUser == row.EndUser && End == row.End
        && Status == row.Status && Streamed == row.Streamed;

    /// <summary>A row goes on with it. Its bytes say where they end, so what begins with them has this and nothing else there.</summary>
    public bool Begins(ReadOnlySpan<byte> rest) => _length > 0 && rest.StartsWith(Bytes);

    /// <summary>Writes that of a row, and is the same from then on.</summary>
    public void Write(LedgerRow row, ref RowWriter writer)
    {
        _length = 0;
        var from = writer.Length;
        writer.Text(Operation = row.Operation);
        writer.Text(Key = row.Key);
        writer.Text((KeyName = row.KeyName) == row.Key ? null : row.KeyName);
        writer.Text(Group = row.Group);
        writer.Text(EndUser = row.EndUser);
        writer.Text(Model = row.Model);
        writer.Text(Upstream = row.Upstream);
        writer.Text(UpstreamModel = row.UpstreamModel);
        writer.Number(Status = row.Status);
        writer.Byte((Streamed = row.Streamed) ? (byte)1 : (byte)0);
        writer.Text(End = row.End);
        Keep(writer.IsFull ? default : writer.From(from));
    }

    /// <summary>Reads that of a row, and is the same from then on.</summary>
    public void Read(ref RowReader reader)
    {
        _length = 0;
        var rest = reader.Rest;
        Operation = reader.Text()!;
        Key = reader.Text()!;
        KeyName = reader.Text() ?? Key;
        Group = reader.Text();
        EndUser = reader.Text();
        Model = reader.Text()!;
        Upstream = reader.Text();
        UpstreamModel = reader.Text();
        Status = (int)reader.Number();
        Streamed = reader.Byte() != 0;
        End = reader.Text()!;
        Keep(rest[..^reader.Rest.Length]);
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_bytes.Length < bytes.Length)
        {
            _bytes = new byte[bytes.Length];
        }

        bytes.CopyTo(_bytes);
        _length = bytes.Length;
    }
}

/// <summary>
/// The courses of the last rows, by caller and model. For one thread, or one reader: one that is known already is copied, or taken as it
/// was read before, instead of text by text.
/// </summary>
internal sealed class RowCourses
{
    // A power of two. Where many more than this take turns, a row costs a little more than it would without.
    private const int Most = 64;

    private readonly RowCourse?[] _courses = new RowCourse[Most];

    /// <summary>The place for that of a row which is to be written.</summary>
    public RowCourse PlaceOf(LedgerRow row) => At(TextGlance.At(row.Key) + TextGlance.At(row.Model));

    /// <summary>The place for that of a row which is read. By its first bytes: the operation, and the caller or the beginning of its name.</summary>
    public RowCourse PlaceOf(ReadOnlySpan<byte> rest)
    {
        var sum = 0u;
        for (var i = 0; i < 4 && rest.Length >= sizeof(ulong); i++)
        {
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(rest));
            rest = rest[sizeof(ulong)..];
        }

        return At((int)sum);
    }

    private RowCourse At(int hash) => _courses[hash & (Most - 1)] ??= new RowCourse();
}
