using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Protocol;

/// <summary>Where in the body the fields stand that somebody acts on.</summary>
internal sealed partial class RequestFields
{
    private FewFields _few;
    private RequestField[]? _many;
    private int _count;

    /// <summary>In the order in which they stand there. Good for as long as none is added.</summary>
    public ReadOnlySpan<RequestField> Fields => Volatile.Read(ref _many) is { } many ? many.AsSpan(0, _count) : ((ReadOnlySpan<RequestField>)_few)[.._count];

    /// <summary>The one field of that name.</summary>
    public RequestField? Find(int name)
    {
        foreach (ref readonly var field in Fields)
        {
            if (field.Name == name)
            {
                return field;
            }
        }

        return null;
    }

    /// <summary>Forgets where in the body its fields stand, once there is no body: what they said stays.</summary>
    public void ForgetPlaces()
    {
        // In this order: who asks a second target may be looking, and is to see them or none.
        _count = 0;
        Volatile.Write(ref _many, null);
    }

    private ref RequestField Add(in RequestField field)
    {
        if (_many is null && _count < FewFields.Count)
        {
            _few[_count] = field;
            return ref _few[_count++];
        }

        if (_many is null || _count == _many.Length)
        {
            var more = new RequestField[2 * _count];
            Fields.CopyTo(more);
            _many = more;
        }

        _many[_count] = field;
        return ref _many[_count++];
    }

    private ref RequestField Last => ref _many is null ? ref _few[_count - 1] : ref _many[_count - 1];

    // As many as most requests have need no object of their own.
    [InlineArray(Count)]
    private struct FewFields
    {
        public const int Count = 4;

        private RequestField _first;
    }
}
