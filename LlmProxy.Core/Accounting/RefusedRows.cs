using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// Rows that the store will never take, one JSON object on each line of a file. Somebody has to look at them: what they cost is in no
/// budget's account after the next start.
/// </summary>
/// <param name="time">The app's.</param>
internal sealed class RefusedRows(TimeProvider time)
{
    /// <summary>The file's name, in the folder of the journal.</summary>
    public const string FileName = "refused.jsonl";

    /// <summary>What takes more is no row with something odd in it, but a store that takes none: they wait in the journal.</summary>
    public const long Longest = 64 << 20;

    private readonly HashSet<string> _kept = new(StringComparer.Ordinal);

    /// <summary>Keeps a row. When this returns it is on the disk.</summary>
    /// <returns>False if it was there.</returns>
    /// <param name="folder">Where.</param>
    /// <param name="row">All that is known of it.</param>
    /// <param name="reason">The store's.</param>
    /// <exception cref="IOException">There is no room for it, or the file has grown too long.</exception>
    public bool TryKeep(string folder, LedgerRow row, string reason)
    {
        // The same again, because the store went away between two rows of a batch.
        if (_kept.Contains(row.Id))
        {
            return false;
        }

        var output = new ArrayBufferWriter<byte>(2048);
        Write(output, row, reason);
        using var file = Open(Path.Combine(folder, FileName));
        if (file.Length + output.WrittenCount > Longest)
        {
            throw new IOException($"{file.Name} has {file.Length} bytes of rows that the store refused. Look at why, and move it away.");
        }

        file.Write(output.WrittenSpan);
        file.Flush(flushToDisk: true);
        return _kept.Add(row.Id);
    }

    /// <summary>The rows that were offered are not offered again.</summary>
    public void Forget() => _kept.Clear();

    private void Write(ArrayBufferWriter<byte> output, LedgerRow row, string reason)
    {
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("refused"u8, time.GetUtcNow().UtcDateTime);
            json.WriteString("reason"u8, reason);
            json.WriteString("key_day"u8, LedgerRow.Windows(row.KeyDay)[0]);
            json.WriteString("group_day"u8, LedgerRow.Windows(row.GroupDay)[0]);
            json.WritePropertyName("row"u8);
            RowJson.Write(json, row);
            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    /// <summary>Takes an end user's name out of the rows of all processes that have the directory, or had it.</summary>
    /// <param name="directory">In which the folders of the journal are.</param>
    /// <param name="endUser">The name.</param>
    /// <returns>How many rows were changed.</returns>
    /// <exception cref="IOException">A file cannot be changed, or another process writes to it right now.</exception>
    public static int EraseEndUser(string directory, string endUser) => !Directory.Exists(directory) ? 0
        : Directory.EnumerateFiles(directory, FileName, new EnumerationOptions { RecurseSubdirectories = true }).Sum(path => EraseEndUserIn(path, endUser));

    private static int EraseEndUserIn(string path, string endUser)
    {
        // Nobody else writes meanwhile: a row that is refused in this moment is offered again.
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None);
        using var lines = new StreamReader(file);
        var (changed, next) = (0, path + ".next");
        using (var output = Open(next, FileMode.Create))
        {
            while (lines.ReadLine() is { } line)
            {
                output.Write(Encoding.UTF8.GetBytes(TryErase(line, endUser, out var without) ? without : line));
                output.Write("\n"u8);
                changed += without.Length > 0 ? 1 : 0;
            }

            output.Flush(flushToDisk: true);
        }

        if (changed > 0)
        {
            File.Move(next, path, overwrite: true);
        }
        else
        {
            File.Delete(next);
        }

        return changed;
    }

    private static bool TryErase(string line, string endUser, out string without)
    {
        without = "";
        try
        {
            if (JsonNode.Parse(line) is not JsonObject all || all["row"] is not JsonObject row || row["user"] is not JsonValue user
                || !user.TryGetValue(out string? name) || name != endUser)
            {
                return false;
            }

            row["user"] = null;
            // A database may quote what it did not like.
            all["reason"] = all["reason"]?.ToString().Replace(endUser, "…", StringComparison.Ordinal);
            without = all.ToJsonString();
            return true;
        }
        catch (JsonException)
        {
            // Cut off by a kill, or somebody's note.
            return false;
        }
    }

    private static FileStream Open(string path, FileMode mode = FileMode.Append)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Share = FileShare.Read };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }
}
