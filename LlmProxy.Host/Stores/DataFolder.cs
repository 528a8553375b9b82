namespace LlmProxy.Host.Stores;

/// <summary>Where the executable keeps what has to outlive it.</summary>
internal static class DataFolder
{
    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>
    /// The folder that <c>LLMPROXY_DATA</c> names, else the service manager's (<c>STATE_DIRECTORY</c>), else the user's own for state; null
    /// if there is none.
    /// </summary>
    public static string? Find() => Find(Environment.GetEnvironmentVariable);

    public static string? Find(Func<string, string?> variable)
    {
        // A service manager may name several: the first is the service's own.
        var folder = Set("LLMPROXY_DATA") ?? Set("STATE_DIRECTORY")?.Split(':')[0]
            ?? (OperatingSystem.IsWindows() ? Below(Set("LOCALAPPDATA"), "llmproxy") : null)
            ?? Below(Set("XDG_STATE_HOME"), "llmproxy") ?? Below(Set("HOME"), ".local/state/llmproxy");
        return folder is null ? null : Path.GetFullPath(folder);

        string? Set(string name) => variable(name) is { Length: > 0 } value ? value : null;

        // What is not absolute is to be ignored, says the standard that these variables are from.
        static string? Below(string? folder, string name) => folder is not null && Path.IsPathRooted(folder) ? Path.Combine(folder, name) : null;
    }

    /// <summary>Makes a folder that only this user can look into, unless it is there; and makes sure that files can be made in it.</summary>
    /// <exception cref="RefusedException">They cannot.</exception>
    public static void Make(string folder)
    {
        try
        {
            if (!Directory.Exists(folder))
            {
                if (OperatingSystem.IsWindows())
                {
                    Directory.CreateDirectory(folder);
                }
                else
                {
                    Directory.CreateDirectory(folder, OwnersOnly);
                }
            }

            var probe = Path.Combine(folder, $".probe-{Environment.ProcessId}");
            File.WriteAllBytes(probe, [1]);
            File.Delete(probe);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException($"Nothing can be kept in {folder}: {Reason(e)}");
        }
    }

    private static string Reason(Exception e) => e switch
    {
        UnauthorizedAccessException => "this user may not write there.",
        _ => e.Message,
    };
}
