using System.Security.Cryptography;
using System.Text;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// Follows one reading of a configuration: which files it looked at, and a digest of all that it saw, the values of references
/// included, by which another reading of the same is known.
/// </summary>
internal sealed class SourceTrace : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<string> _files = [];

    public SourceTrace() => References = new References(ReadVariable, path => ReadFile(path, References.ReadSmallFile));

    /// <summary>Fills in references, and notes them.</summary>
    public References References { get; }

    /// <summary>Every file that was looked at, found or not.</summary>
    public IReadOnlyList<string> Files => _files;

    /// <summary>Of all that was seen. Asked for once, at the end.</summary>
    public string TakeDigest() => Convert.ToHexString(_hash.GetHashAndReset());

    /// <summary>Reads a file and notes it.</summary>
    public byte[] ReadFile(string path, Func<string, byte[]> read)
    {
        if (!_files.Contains(path))
        {
            _files.Add(path);
        }

        try
        {
            var bytes = read(path);
            Note(bytes);
            return bytes;
        }
        catch (Exception e)
        {
            Note(e.GetType().Name);
            throw;
        }
    }

    /// <summary>Notes a text; null is another than an empty one.</summary>
    public void Note(string? text)
    {
        Note(text is null ? default : Encoding.UTF8.GetBytes(text));
        _hash.AppendData([(byte)(text is null ? 0 : 1)]);
    }

    public void Dispose() => _hash.Dispose();

    private string? ReadVariable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Note(value);
        return value;
    }

    // The length first: what is next to each other must not run into one.
    private void Note(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(BitConverter.GetBytes(bytes.Length));
        _hash.AppendData(bytes);
    }
}
