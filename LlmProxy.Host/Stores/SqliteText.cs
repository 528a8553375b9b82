using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>Commands with parameters that are named by their number: <c>$0</c>, <c>$1</c>, …</summary>
internal static class SqliteText
{
    public static SqliteCommand Command(this SqliteConnection connection, string sql, params ReadOnlySpan<object> values)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var value in values)
        {
            command.Add(value);
        }

        return command;
    }

    /// <summary>Adds a parameter and gives its name.</summary>
    public static string Add(this SqliteCommand command, object value)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"${command.Parameters.Count}");
        command.Parameters.Add(new SqliteParameter(name, value));
        return name;
    }

    /// <summary>Runs a command once more with other values.</summary>
    public static int Execute(this SqliteCommand command, params ReadOnlySpan<object> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i];
        }

        return command.ExecuteNonQuery();
    }

    public static int Execute(this SqliteConnection connection, string sql, params ReadOnlySpan<object> values)
    {
        using var command = connection.Command(sql, values);
        return command.ExecuteNonQuery();
    }

    /// <summary>
    /// Runs several statements, of which some may answer with rows, as many a PRAGMA does. ExecuteNonQuery says nothing of one that fails
    /// behind such a one, and leaves out the rest.
    /// </summary>
    public static void ExecuteAll(this SqliteConnection connection, string sql)
    {
        using var command = connection.Command(sql);
        using var reader = command.ExecuteReader();
        while (reader.NextResult())
        {
            // Each is run as it is come to.
        }
    }

    /// <summary>Texts as one parameter, for <c>IN (SELECT value FROM json_each($0))</c>.</summary>
    public static string Json(IReadOnlyCollection<string> texts)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var text in texts)
            {
                json.WriteStringValue(StoredText.Of(text));
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary><c>$0, $1, …</c>, or from another number on.</summary>
    public static string Places(int count, int first = 0) => string.Join(", ", Enumerable.Range(first, count).Select(static i => $"${i}"));
}
