namespace LlmProxy.Core.Protocol;

/// <summary>Fields that are there twice, or under a name that can be read in two ways.</summary>
internal sealed partial class RequestFields
{
    /// <summary>The error if a field that somebody acts on is there twice, or under a name that can be read in two ways.</summary>
    public ProxyError? CheckUnambiguous(int name)
    {
        var seen = 0;
        foreach (ref readonly var field in Fields)
        {
            if (field.Name == name)
            {
                if (!field.IsExact)
                {
                    return ProxyErrors.AmbiguousKey(Names[name]);
                }

                if (++seen > 1)
                {
                    return ProxyErrors.DuplicateKey(Names[name]);
                }
            }
        }

        return null;
    }

    private ProxyError? CheckAll()
    {
        if (HasNoTwins())
        {
            return null;
        }

        for (var name = 0; name < FieldNames.AlwaysCount; name++)
        {
            if (CheckUnambiguous(name) is { } error)
            {
                return error;
            }
        }

        return Find(FieldNames.Model) is null && !_hasModel ? ProxyErrors.ModelRequired : null;
    }

    // What nearly every body is found to be by one look at each field.
    private bool HasNoTwins()
    {
        var seen = 0UL;
        foreach (ref readonly var field in Fields)
        {
            var bit = 1UL << field.Name;
            if (!field.IsExact || field.Name >= FieldNames.AlwaysCount || (seen & bit) != 0)
            {
                return false;
            }

            seen |= bit;
        }

        return _hasModel || (seen & (1UL << FieldNames.Model)) != 0;
    }
}
