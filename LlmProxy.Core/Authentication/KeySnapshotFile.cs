using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Authentication;

/// <summary>
/// Keeps what was read of the store of keys, for a start while the store is away. It holds hashes and no key; only the process's
/// own user can read it. Written whole beside the one before and put in its place.
/// </summary>
/// <param name="path">Where; its directory exists.</param>
internal sealed partial class KeySnapshotFile(string path)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public string Path => path;

    /// <summary>What was kept; null if there is nothing that can be read.</summary>
    public async Task<KeyStoreChanges?> ReadAsync(ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = File.OpenRead(path);
            var kept = await JsonSerializer.DeserializeAsync(file, KeySnapshotJson.Default.KeyStoreChanges, cancellationToken);
            if (IsWhole(kept))
            {
                return kept;
            }

            Log.Unreadable(logger, path, "it is not what was written there");
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            Log.Unreadable(logger, path, e.GetType().Name);
            return null;
        }
    }

    // JSON that somebody else wrote may leave out what is never left out here.
    private static bool IsWhole(KeyStoreChanges? kept) =>
        kept is { Keys: not null, Groups: not null }
        && kept.Keys.All(static key => key is { Id: not null, Name: not null, Hash: not null, Tail: not null, Settings: not null })
        && kept.Groups.All(static group => group is { Name: not null, Settings: not null });

    /// <summary>Keeps it.</summary>
    /// <returns>False if it could not be written.</returns>
    public async Task<bool> WriteAsync(KeyStoreChanges all, ILogger logger, CancellationToken cancellationToken)
    {
        // Two processes may have the same directory.
        var next = $"{path}.{Environment.ProcessId}.next";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = OwnerOnly;
            }

            await using (var file = new FileStream(next, options))
            {
                await JsonSerializer.SerializeAsync(file, all, KeySnapshotJson.Default.KeyStoreChanges, cancellationToken);
                file.Flush(flushToDisk: true);
            }

            File.Move(next, path, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            if (e is not OperationCanceledException)
            {
                Log.Unwritten(logger, path, e.Message);
            }

            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "{File} cannot be read ({Why}): no key of the store is known until the store can be read.")]
        public static partial void Unreadable(ILogger logger, string file, string why);

        [LoggerMessage(2, LogLevel.Warning, "{File} cannot be written: {Why} A start while the store is away would know the keys of the last one that could.")]
        public static partial void Unwritten(ILogger logger, string file, string why);
    }
}

/// <summary>How it is written.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(KeyStoreChanges))]
internal sealed partial class KeySnapshotJson : JsonSerializerContext;
