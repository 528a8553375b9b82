using System.Text;

namespace LlmProxy.Core.Configuration;

/// <summary>Fills in <c>${NAME}</c> from the environment and <c>${file:/path}</c>; <c>$${</c> stands for <c>${</c> itself.</summary>
/// <param name="variable">The environment.</param>
/// <param name="file">Reads a file.</param>
/// <param name="refusal">What is said instead of following any; null: they are followed.</param>
internal sealed class References(Func<string, string?> variable, Func<string, byte[]> file, string? refusal = null)
{
    private const string Start = "${";
    private const string Escape = "$${";
    private const string FilePrefix = "file:";
    private const int LargestFile = 1 << 20;

    public static References FromEnvironment { get; } = new(Environment.GetEnvironmentVariable, ReadSmallFile);

    /// <summary>For what does not come from the operator's own file: it must not lead to this machine's environment and files.</summary>
    public static References None { get; } = new(static _ => null, static _ => [], "\"${\" fills in values in a configuration file only. Write the value itself.");

    /// <summary>Fills in all references of a text.</summary>
    /// <param name="written">The text as written.</param>
    /// <param name="text">What it stands for.</param>
    /// <param name="filled">True if it held a reference, so that <paramref name="text"/> may be a secret.</param>
    /// <returns>Null, or what is wrong. Names the reference, never what it leads to.</returns>
    public string? Resolve(string written, out string text, out bool filled)
    {
        text = written;
        filled = false;
        if (!written.Contains(Start, StringComparison.Ordinal))
        {
            return null;
        }

        if (refusal is not null)
        {
            return refusal;
        }

        var result = new StringBuilder();
        for (var at = 0; at < written.Length;)
        {
            if (string.CompareOrdinal(written, at, Escape, 0, Escape.Length) == 0)
            {
                result.Append(Start);
                at += Escape.Length;
            }
            else if (string.CompareOrdinal(written, at, Start, 0, Start.Length) == 0)
            {
                var end = written.IndexOf('}', at);
                if (end < 0)
                {
                    return "\"${\" has no \"}\". Write \"$${\" for the characters themselves.";
                }

                filled = true;
                if (Follow(written[(at + Start.Length)..end], result) is { } problem)
                {
                    return problem;
                }

                at = end + 1;
            }
            else
            {
                result.Append(written[at++]);
            }
        }

        text = result.ToString();
        return null;
    }

    /// <summary>Reads a file that holds one value.</summary>
    public static byte[] ReadSmallFile(string path)
    {
        using var stream = File.OpenRead(path);
        var buffer = new byte[LargestFile + 1];
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return length <= LargestFile ? buffer[..length] : throw new IOException("Too large for a value.");
    }

    private string? Follow(string reference, StringBuilder result)
    {
        if (reference.StartsWith(FilePrefix, StringComparison.Ordinal))
        {
            return FollowFile(reference[FilePrefix.Length..], result);
        }

        if (!IsVariableName(reference))
        {
            return "between \"${\" and \"}\" stands the name of an environment variable (letters, digits, _) or file:/path.";
        }

        if (variable(reference) is not { } value)
        {
            return $"the environment variable {reference} is not set.";
        }

        result.Append(value);
        return null;
    }

    private string? FollowFile(string path, StringBuilder result)
    {
        if (!Path.IsPathRooted(path))
        {
            return $"the file {Problems.Quote(path)} needs its whole path: ${{file:/path}}.";
        }

        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(file(path));
            // Editors and `echo` end a file with a newline that is not part of the secret; more than one is meant.
            result.Append(text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text);
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"the file {path} does not exist.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the file {path} cannot be read.";
        }
        catch (ArgumentException)
        {
            return $"the file {path} is not UTF-8 text.";
        }
    }

    private static bool IsVariableName(string name) =>
        name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
