using System.Globalization;
using System.IO.Compression;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>
/// A profile as the ahead-of-time compiler takes it (<c>.mibc</c>): an assembly whose code is never run. For each method of the profile it loads
/// the method's token, the counts between two marks, and throws all of it away. Methods of the same assemblies are together in one
/// global method, and <c>AssemblyDictionary</c> says which.
/// </summary>
/// <remarks>The format has no page of its own; it is what <c>MIbcProfileParser</c> of the compiler reads (dotnet/runtime).</remarks>
internal sealed class ProfileFile
{
    // For a record: offset, kind, number of values and the rest follow.
    private const int AllOfRecord = 15;
    private const string Unknown = "UNKNOWN";
    private const string Nothing = "NULL";
    private const int UnknownThing = 1;

    private readonly MetadataBuilder _metadata = new();
    private readonly BlobBuilder _code = new();
    private readonly MethodBodyStreamEncoder _bodies;
    private readonly ProfileReferences _references;
    private readonly HashSet<(string Name, int Size, int Parameters)> _methods = [];
    private readonly SortedDictionary<string, InstructionEncoder> _groups = new(StringComparer.Ordinal);

    public ProfileFile(KnownAssemblies assemblies)
    {
        _bodies = new MethodBodyStreamEncoder(_code);
        _references = new ProfileReferences(_metadata, assemblies);
    }

    /// <summary>Adds a method.</summary>
    /// <returns>False: it is not known which one is meant.</returns>
    public bool TryAdd(ProfiledMethod profiled)
    {
        // Of two for one method the compiler takes the first, or the whole file not.
        if (!_methods.Add((profiled.Name, profiled.CodeSize, profiled.Parameters)))
        {
            return false;
        }

        _references.Mentioned.Clear();
        var method = _references.Method(profiled.Name, profiled.CodeSize, profiled.Parameters);
        if (method.IsNil)
        {
            return false;
        }

        var name = string.Concat(_references.Mentioned.Select(static assembly => assembly + ";"));
        if (!_groups.TryGetValue(name, out var code))
        {
            _groups[name] = code = new InstructionEncoder(new BlobBuilder());
        }

        Load(code, method);
        code.LoadString(_metadata.GetOrAddUserString("InstrumentationDataStart"));
        foreach (var record in profiled.Records)
        {
            Write(code, record);
        }

        code.LoadString(_metadata.GetOrAddUserString("InstrumentationDataEnd"));

        // Twice: behind a method that its compilation does not have the compiler would pass over the next one as well.
        code.OpCode(ILOpCode.Pop);
        code.OpCode(ILOpCode.Pop);
        return true;
    }

    /// <summary>Writes the file, compressed. Nothing can be added after that.</summary>
    public void Save(string path)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        _metadata.AddModule(0, _metadata.GetOrAddString(name), default, default, default);
        _metadata.AddAssembly(_metadata.GetOrAddString(name), new Version(0, 0, 0, 0), default, default, default, AssemblyHashAlgorithm.None);
        _metadata.AddTypeDefinition(default, default, _metadata.GetOrAddString("<Module>"), default, MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));
        var dictionary = new InstructionEncoder(new BlobBuilder());
        foreach (var (group, code) in _groups)
        {
            dictionary.LoadString(_metadata.GetOrAddUserString(group));
            Load(dictionary, AddMethod(string.Create(CultureInfo.InvariantCulture, $"Group_{_metadata.GetRowCount(TableIndex.MethodDef)}"), code));
            dictionary.OpCode(ILOpCode.Pop);
        }

        AddMethod("AssemblyDictionary", dictionary);
        var image = new BlobBuilder();
        new ManagedPEBuilder(PEHeaderBuilder.CreateLibraryHeader(), new MetadataRootBuilder(_metadata), _code, deterministicIdProvider: static _ => default).Serialize(image);
        using var file = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
        using var entry = file.CreateEntry(Path.GetFileName(path) + ".dll", CompressionLevel.SmallestSize).Open();
        image.WriteContentTo(entry);
    }

    private MethodDefinitionHandle AddMethod(string name, InstructionEncoder code)
    {
        var signature = new BlobBuilder();
        new BlobEncoder(signature).MethodSignature().Parameters(0, static to => to.Void(), static _ => { });
        return _metadata.AddMethodDefinition(
            MethodAttributes.Public | MethodAttributes.Static, MethodImplAttributes.IL, _metadata.GetOrAddString(name), _metadata.GetOrAddBlob(signature),
            _bodies.AddMethodBody(code), default);
    }

    private void Write(InstructionEncoder code, ProfileRecord record)
    {
        if ((record.Kind & RuntimeProfile.FormMask) == RuntimeProfile.FormOfNothing)
        {
            return;
        }

        code.LoadConstantI4(AllOfRecord);
        code.LoadConstantI4(record.Offset);
        code.LoadConstantI4(record.Kind);
        code.LoadConstantI4(record.Values.Count);
        code.LoadConstantI4(record.Other);
        foreach (var value in record.Values)
        {
            switch (record.Kind & RuntimeProfile.FormMask)
            {
                case RuntimeProfile.FormOfTypes:
                    LoadThing(code, value, _references.Type);
                    break;
                case RuntimeProfile.FormOfMethods:
                    // Which of several with one name is not told.
                    LoadThing(code, value, static _ => default);
                    break;
                default:
                    Load(code, long.Parse(value, CultureInfo.InvariantCulture));
                    break;
            }
        }
    }

    private static void LoadThing(InstructionEncoder code, string name, Func<string, EntityHandle> find)
    {
        if (name == Nothing)
        {
            code.LoadConstantI4(0);
        }
        else if (name != Unknown && find(name) is { IsNil: false } found)
        {
            Load(code, found);
        }
        else
        {
            code.LoadConstantI4(UnknownThing);
        }
    }

    private static void Load(InstructionEncoder code, EntityHandle thing)
    {
        code.OpCode(ILOpCode.Ldtoken);
        code.Token(thing);
    }

    private static void Load(InstructionEncoder code, long number)
    {
        if (number is >= int.MinValue and <= int.MaxValue)
        {
            code.LoadConstantI4((int)number);
        }
        else
        {
            code.LoadConstantI8(number);
        }
    }
}
